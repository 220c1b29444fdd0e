#include "clients/rl/replay.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "clients/rl/checks.h"
#include "clients/rl/replay_flags.h"

namespace gwm::rl {
namespace {

int64_t FrameBytes(const ReplayOptions& options) {
  int64_t bytes = options.frame_type == torch::kUInt8 ? 1 : 4;
  for (const int64_t size : options.frame_shape) bytes *= size;
  return bytes;
}

// Frame, action, reward, two links and flags.
int64_t PlaceBytes(const ReplayOptions& options) {
  return FrameBytes(options) + 4 * options.action_dim + 4 + 8 + 8 + 1;
}

absl::Status CheckOptions(const ReplayOptions& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  constexpr int64_t kLargest = int64_t{1} << 31;
  int64_t elements = 1;
  for (const int64_t size : o.frame_shape) {
    if (size < 1 || size > kLargest / elements) return refuse("frame_shape is out of range");
    elements *= size;
  }
  if (o.frame_shape.empty()) return refuse("frame_shape has no axis");
  if (o.frame_type != torch::kUInt8 && o.frame_type != torch::kFloat32) {
    return refuse("frame_type is neither u8 nor f32");
  }
  if (o.frame_stack < 1 || o.frame_stack > 1000) return refuse("frame_stack must be in 1..1000");
  if (o.action_dim < 1 || o.action_dim > 1000000) return refuse("action_dim must be in 1..1000000");
  if (o.n_step < 1 || o.n_step > 1000000) return refuse("n_step must be in 1..1000000");
  if (!(o.discount > 0 && o.discount <= 1)) return refuse("discount must be in (0, 1]");
  if (o.max_transitions < 1 || o.max_transitions > kLargest) {
    return refuse("max_transitions must be in 1..2^31");
  }
  if (o.max_bytes < 0) return refuse("max_bytes must not be negative");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Replay>> Replay::Create(const ReplayOptions& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  int64_t places = options.max_transitions;
  if (options.max_bytes > 0) places = std::min(places, options.max_bytes / PlaceBytes(options));
  // Otherwise a transition would lose its history before it could be sampled.
  if (places < options.frame_stack + 1) {
    return absl::InvalidArgumentError(absl::StrCat("max_transitions and max_bytes leave ", places,
                                                   " places of ", PlaceBytes(options),
                                                   " bytes, fewer than frame_stack + 1"));
  }
  return WithoutThrowing("Replay::Create", [&]() -> absl::StatusOr<std::unique_ptr<Replay>> {
    return std::unique_ptr<Replay>(new Replay(options, places));
  });
}

Replay::Replay(const ReplayOptions& options, int64_t places)
    : options_(options), random_(options.seed), places_(places) {
  std::vector<int64_t> shape = {places};
  shape.insert(shape.end(), options.frame_shape.begin(), options.frame_shape.end());
  // Not filled: the system hands out memory as frames arrive.
  frames_ = torch::empty(shape, options.frame_type);
  actions_ = torch::empty({places, options.action_dim}, torch::kFloat32);
  rewards_ = torch::empty({places}, torch::kFloat32);
  previous_ = torch::empty({places}, torch::kInt64);
  next_ = torch::empty({places}, torch::kInt64);
  flags_ = torch::empty({places}, torch::kUInt8);
}

int64_t Replay::bytes_per_place() const { return PlaceBytes(options_); }

bool Replay::Startable(int64_t number) const {
  if (!Live(number)) return false;
  const int64_t* previous = previous_.data_ptr<int64_t>();
  const int64_t place = PlaceOf(number);
  if ((flags_.data_ptr<uint8_t>()[place] & kFrameHistory) != 0) return false;
  if (next_.data_ptr<int64_t>()[place] < 0) return false;
  for (int64_t back = 1; back < options_.frame_stack; ++back) {
    const int64_t before = previous[PlaceOf(number)];
    if (before < 0) break;
    if (!Live(before)) return false;
    number = before;
  }
  return true;
}

void Replay::Evict(int64_t number) {
  // The transitions that start here or have this frame in their stack go with it.
  int64_t later = number;
  for (int64_t ahead = 0; ahead < options_.frame_stack && later >= 0; ++ahead) {
    if (Startable(later)) --transitions_;
    later = next_.data_ptr<int64_t>()[PlaceOf(later)];
  }
}

int64_t Replay::Append(int64_t previous, const torch::Tensor& frame, bool history) {
  if (written_ >= places_) Evict(written_ - places_);
  const int64_t number = written_++;
  const int64_t place = PlaceOf(number);
  const torch::Tensor dense = frame.contiguous();
  std::memcpy(static_cast<char*>(frames_.data_ptr()) + place * FrameBytes(options_),
              dense.data_ptr(), FrameBytes(options_));
  std::memset(actions_.data_ptr<float>() + place * options_.action_dim, 0,
              options_.action_dim * sizeof(float));
  rewards_.data_ptr<float>()[place] = 0;
  previous_.data_ptr<int64_t>()[place] = previous;
  next_.data_ptr<int64_t>()[place] = -1;
  flags_.data_ptr<uint8_t>()[place] = history ? kFrameHistory : 0;
  if (previous >= 0) next_.data_ptr<int64_t>()[PlaceOf(previous)] = number;
  return number;
}

absl::Status Replay::Begin(int64_t stream, const torch::Tensor& frames) {
  std::vector<int64_t> shape = {-1};
  shape.insert(shape.end(), options_.frame_shape.begin(), options_.frame_shape.end());
  const absl::Status status = CheckTensor(frames, shape, options_.frame_type, "frames");
  if (!status.ok()) return status;
  const int64_t count = frames.size(0);
  if (count < 1 || count > options_.frame_stack) {
    return absl::InvalidArgumentError(
        absl::StrCat("an episode begins with 1 to ", options_.frame_stack, " frames, not ", count));
  }
  return WithoutThrowing("Replay::Begin", [&]() -> absl::Status {
    const torch::Tensor host = frames.cpu();
    int64_t newest = -1;
    for (int64_t i = 0; i < count; ++i) newest = Append(newest, host[i], i + 1 < count);
    open_[stream] = newest;
    return absl::OkStatus();
  });
}

absl::Status Replay::Add(int64_t stream, const Step& step) {
  absl::Status status = CheckFinite(step.action, {options_.action_dim}, "action");
  if (status.ok()) {
    status = CheckTensor(step.frame, options_.frame_shape, options_.frame_type, "frame");
  }
  if (!status.ok()) return status;
  if (!std::isfinite(step.reward)) return absl::InvalidArgumentError("the reward is not finite");
  const auto open = open_.find(stream);
  // Writing the new frame must not overwrite the one that it follows.
  if (open == open_.end() || open->second <= written_ - places_) {
    return absl::FailedPreconditionError(
        absl::StrCat("stream ", stream,
                     open == open_.end() ? " has no open episode" : " was overwritten by others"));
  }
  return WithoutThrowing("Replay::Add", [&]() -> absl::Status {
    const torch::Tensor frame = step.frame.cpu(), action = step.action.cpu().contiguous();
    const int64_t previous = open->second;
    const int64_t number = Append(previous, frame, /*history=*/false);
    const int64_t place = PlaceOf(number);
    std::memcpy(actions_.data_ptr<float>() + place * options_.action_dim, action.data_ptr<float>(),
                options_.action_dim * sizeof(float));
    rewards_.data_ptr<float>()[place] = static_cast<float>(step.reward);
    flags_.data_ptr<uint8_t>()[place] =
        (step.terminated ? kFrameTerminated : 0) | (step.truncated ? kFrameTruncated : 0);
    if (Startable(previous)) ++transitions_;
    open->second = number;
    if (step.terminated || step.truncated) open_.erase(open);
    return absl::OkStatus();
  });
}

}  // namespace gwm::rl
