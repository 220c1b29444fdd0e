#include "engine/train/imagined_sequences.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <mutex>

#include "engine/io/progress.h"
#include "engine/train/rollout.h"
#include "engine/train/sharded_gradients.h"

namespace gwm {
namespace {

// The rollouts of one sequence go together as a batch; those that reach its end are cut there.
class SequenceRollouts {
 public:
  SequenceRollouts(const WorldModel& model, const LatentSequence& sequence, int64_t steps)
      : model_(model), s_(sequence), steps_(steps) {
    const bool one_start = s_.centres.size(0) == 1 && s_.frames() > 1;
    const int64_t last = one_start ? 1 : s_.frames() - 1;
    starts_ = torch::arange(0, std::max<int64_t>(last, 0), steps_);
  }

  int64_t count() const { return starts_.size(0); }

  std::vector<ImaginedSequence> Run(const RolloutOptions& options) const {
    const auto index =
        (starts_.unsqueeze(1) + torch::arange(0, steps_ + 1)).clamp_max(s_.frames() - 1);
    const auto actions = Gather(s_.action, index.slice(1, 1));
    const auto imagined = Rollout(model_, {{}, Start()}, actions.to(model_.device()), options);
    std::vector<torch::Tensor> latents = {s_.latents.index_select(0, starts_)};
    for (const auto& step : imagined) {
      latents.push_back(model_.Destandardise(step.latents).to(torch::kCPU));
    }
    const auto together = torch::stack(latents, 1);  // [n, steps + 1, M, L]
    std::vector<ImaginedSequence> out;
    for (int64_t i = 0; i < count(); ++i) {
      const int64_t start = starts_[i].item<int64_t>();
      const int64_t frames = std::min(steps_ + 1, s_.frames() - start);
      const auto real = [&](const torch::Tensor& x) { return x.narrow(0, start, frames); };
      out.push_back({{together[i].narrow(0, 0, frames).clone(), CentresAt(start), real(s_.action),
                      real(s_.reward), real(s_.terminated), real(s_.success)},
                     real(s_.latents)});
    }
    return out;
  }

 private:
  static torch::Tensor Gather(const torch::Tensor& x, const torch::Tensor& index) {
    auto shape = index.sizes().vec();
    const auto rest = x.sizes().slice(1);
    shape.insert(shape.end(), rest.begin(), rest.end());
    return x.index_select(0, index.flatten()).reshape(shape);
  }

  torch::Tensor CentresAt(int64_t frame) const {
    return s_.centres.narrow(0, s_.centres.size(0) == 1 ? 0 : frame, 1);
  }

  DynamicsState Start() const {
    const auto& d = model_.config.dynamics;
    const auto back = torch::arange(-(d.context_frames - 1), 1);
    const auto history = Gather(s_.latents, (starts_.unsqueeze(1) + back).clamp_min(0));
    const auto when = starts_.unsqueeze(1) + torch::arange(-(d.action_history - 2), 1);
    const auto known = (when > 0).to(torch::kFloat).unsqueeze(-1);
    const auto past = Gather(s_.action, when.clamp_min(0)) * known;
    std::vector<torch::Tensor> centres;
    for (int64_t i = 0; i < count(); ++i) centres.push_back(CentresAt(starts_[i].item<int64_t>()));
    const auto device = model_.device();
    return model_.Begin(model_.Standardise(history.to(device)), past.to(device),
                        torch::cat(centres).to(device));
  }

  const WorldModel& model_;
  const LatentSequence& s_;
  const int64_t steps_;
  torch::Tensor starts_;  // i64 [n]
};

// Calls job(i) for every i below count, on `workers` threads.
void DealOut(size_t count, int64_t workers, const std::function<void(size_t)>& job) {
  const ShardThreads threads(workers);
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    torch::NoGradGuard no_grad;
    for (size_t i = next++; i < count; i = next++) job(i);
  };
  std::vector<std::future<void>> others;
  for (int64_t w = 1; w < workers; ++w) others.push_back(std::async(std::launch::async, work));
  work();
  for (auto& other : others) other.get();
}

}  // namespace

std::vector<ImaginedSequence> ImagineSequences(const WorldModel& model,
                                               const std::vector<LatentSequence>& sequences,
                                               int64_t steps, uint64_t seed, bool quiet) {
  io::Progress progress(
      {.label = "imagining episodes", .total = static_cast<int64_t>(sequences.size())});
  std::mutex progress_mutex;
  int64_t done = 0;
  std::vector<std::vector<ImaginedSequence>> parts(sequences.size());
  DealOut(sequences.size(), model.device().is_cpu() ? at::get_num_threads() : 1, [&](size_t i) {
    const SequenceRollouts rollouts(model, sequences[i], steps);
    if (rollouts.count() > 0) {
      parts[i] = rollouts.Run({.seed = seed, .episode = static_cast<uint32_t>(i)});
    }
    const std::lock_guard lock(progress_mutex);
    ++done;
    if (!quiet) progress.Update(done);
  });
  std::vector<ImaginedSequence> out;
  for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(out));
  return out;
}

}  // namespace gwm
