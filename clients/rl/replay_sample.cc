// Replay: batches out of the ring.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "clients/rl/checks.h"
#include "clients/rl/replay.h"
#include "clients/rl/replay_flags.h"

namespace gwm::rl {
namespace {

absl::Status CheckDraw(int64_t rows, int64_t transitions) {
  if (rows < 1)
    return absl::InvalidArgumentError(absl::StrCat("rows must be positive, not ", rows));
  if (transitions == 0) return absl::FailedPreconditionError("the replay holds no transition");
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> Replay::Draw(int64_t rows, uint64_t counter) const {
  const uint64_t live = static_cast<uint64_t>(written_ - oldest());
  std::vector<int64_t> numbers;
  numbers.reserve(rows);
  // Frames are drawn until one starts a transition, which makes transitions equally likely.
  for (uint64_t draw = 0; static_cast<int64_t>(numbers.size()) < rows; ++draw) {
    const uint64_t bits = random_.Bits(options_.random_stream, counter, draw);
    const int64_t number = oldest() + static_cast<int64_t>(bits % live);
    if (Startable(number)) numbers.push_back(number);
  }
  return numbers;
}

torch::Tensor Replay::GatherStacks(const std::vector<int64_t>& numbers) const {
  const int64_t rows = static_cast<int64_t>(numbers.size()), stack = options_.frame_stack;
  std::vector<int64_t> shape = {rows, stack};
  shape.insert(shape.end(), options_.frame_shape.begin(), options_.frame_shape.end());
  torch::Tensor out = torch::empty(shape, options_.frame_type);
  const size_t bytes = frames_.nbytes() / places_;
  const char* frames = static_cast<const char*>(frames_.data_ptr());
  const int64_t* previous = previous_.data_ptr<int64_t>();
  char* to = static_cast<char*>(out.data_ptr());
  for (int64_t row = 0; row < rows; ++row) {
    int64_t number = numbers[row];
    for (int64_t depth = stack - 1; depth >= 0; --depth) {
      std::memcpy(to + (row * stack + depth) * bytes, frames + PlaceOf(number) * bytes, bytes);
      const int64_t before = previous[PlaceOf(number)];
      if (before >= 0) number = before;
    }
  }
  return out;
}

torch::Tensor Replay::Joined(const torch::Tensor& stacks) const { return stacks.flatten(1, 2); }

Batch Replay::Gather(const std::vector<int64_t>& numbers, int64_t n_step) const {
  const int64_t rows = static_cast<int64_t>(numbers.size());
  Batch batch{.action = torch::empty({rows, options_.action_dim}, torch::kFloat32),
              .reward = torch::empty({rows}, torch::kFloat32),
              .discount = torch::empty({rows}, torch::kFloat32)};
  const int64_t* next = next_.data_ptr<int64_t>();
  const uint8_t* flags = flags_.data_ptr<uint8_t>();
  std::vector<int64_t> arrivals(rows);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t number = numbers[row];
    const int64_t first = PlaceOf(next[PlaceOf(number)]);
    std::memcpy(batch.action.data_ptr<float>() + row * options_.action_dim,
                actions_.data_ptr<float>() + first * options_.action_dim,
                options_.action_dim * sizeof(float));
    double sum = 0, factor = 1;
    for (int64_t i = 0; i < n_step && next[PlaceOf(number)] >= 0; ++i) {
      number = next[PlaceOf(number)];
      sum += factor * rewards_.data_ptr<float>()[PlaceOf(number)];
      factor *= options_.discount;
    }
    if ((flags[PlaceOf(number)] & kFrameTerminated) != 0) factor = 0;
    batch.reward.data_ptr<float>()[row] = static_cast<float>(sum);
    batch.discount.data_ptr<float>()[row] = static_cast<float>(factor);
    arrivals[row] = number;
  }
  batch.observation = Joined(GatherStacks(numbers));
  batch.next_observation = Joined(GatherStacks(arrivals));
  return batch;
}

absl::StatusOr<Batch> Replay::Sample(int64_t rows, uint64_t counter) const {
  const absl::Status status = CheckDraw(rows, transitions_);
  if (!status.ok()) return status;
  return WithoutThrowing("Replay::Sample", [&]() -> absl::StatusOr<Batch> {
    return Gather(Draw(rows, counter), options_.n_step);
  });
}

absl::StatusOr<torch::Tensor> Replay::SampleStarts(int64_t rows, uint64_t counter) const {
  const absl::Status status = CheckDraw(rows, transitions_);
  if (!status.ok()) return status;
  return WithoutThrowing("Replay::SampleStarts", [&]() -> absl::StatusOr<torch::Tensor> {
    return GatherStacks(Draw(rows, counter));
  });
}

absl::StatusOr<Batch> Replay::SingleSteps() const {
  const absl::Status status = CheckDraw(1, transitions_);
  if (!status.ok()) return status;
  return WithoutThrowing("Replay::SingleSteps", [&]() -> absl::StatusOr<Batch> {
    std::vector<int64_t> numbers;
    for (int64_t number = oldest(); number < written_; ++number) {
      if (Startable(number)) numbers.push_back(number);
    }
    return Gather(numbers, 1);
  });
}

}  // namespace gwm::rl
