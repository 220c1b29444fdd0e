// engine/api/world.h on top of a WorldModel.
#ifndef GWM_ENGINE_RUNTIME_MODEL_WORLD_H_
#define GWM_ENGINE_RUNTIME_MODEL_WORLD_H_

#include <memory>
#include <vector>

#include "engine/api/world.h"
#include "engine/base/compute.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/safetensors.h"
#include "engine/runtime/model_step.h"
#include "engine/runtime/start_frame.h"
#include "engine/runtime/state_layout.h"
#include "engine/runtime/state_pool.h"

namespace gwm {

// What all states of an episode share.
struct Episode {
  StartFrame start;
  Anchors anchors;  // of the start
};

// A slot of the pool and its episode.
class ModelState : public WorldState {
 public:
  ModelState(std::unique_ptr<StatePool::Slot> slot, std::shared_ptr<const Episode> episode)
      : slot(std::move(slot)), episode(std::move(episode)) {}
  const std::unique_ptr<StatePool::Slot> slot;
  const std::shared_ptr<const Episode> episode;
};

inline const ModelState& AsModelState(const StatePtr& state) {
  return static_cast<const ModelState&>(*state);
}

class ModelWorld : public World {
 public:
  struct Options {
    int64_t pool_bytes = int64_t{1} << 30;
    std::string device_name = "cpu";
    Compute compute;
  };
  // reset_pool: the tensors of a checkpoint's reset pool, or empty.
  static absl::StatusOr<std::unique_ptr<ModelWorld>> Create(LoadedCheckpoint checkpoint,
                                                            io::TensorFile reset_pool,
                                                            const Options& options);

  const WorldSpec& spec() const override { return spec_; }
  absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) override;
  absl::StatusOr<std::vector<StepInProgressPtr>> BeginStep(const std::vector<StepRequest>& rows,
                                                           const StepOptions& options) override;
  absl::Status Advance(std::span<StepInProgress* const> rows) override;
  absl::Duration HeadsTime() const override { return heads_time_; }
  absl::StatusOr<std::vector<RenderedView>> Render(const std::vector<RenderRequest>& rows,
                                                   const RenderOptions& options) override;
  absl::StatusOr<std::vector<Camera>> Cameras(const StatePtr& state) override;
  absl::StatusOr<GaussianCloud> Gaussians(const StatePtr& state) override;
  absl::StatusOr<GaussianCloud> SampleGaussians(const StatePtr& state, int64_t count) override;
  absl::StatusOr<LatentTokens> Latents(const StatePtr& state) override;
  absl::StatusOr<StatePtr> WithLatents(const StatePtr& state, const TensorView& latents) override;
  absl::StatusOr<StateTensors> ExportState(const StatePtr& state) override;
  absl::StatusOr<StatePtr> ImportState(const StateTensors& tensors) override;
  absl::StatusOr<Comparison> Compare(const StatePtr& state, const RgbdFrames& frames) override;
  absl::StatusOr<std::vector<HostTensor>> Features(const std::vector<StatePtr>& rows) override;

 private:
  ModelWorld(LoadedCheckpoint checkpoint, io::TensorFile reset_pool);
  absl::Status FillSpec(const std::string& digest, const Options& options);
  absl::StatusOr<StatePtr> ResetOne(const ResetRequest& row);
  // row: f32 [floats] as StateLayout packs it.
  absl::StatusOr<StatePtr> Store(const torch::Tensor& row, std::shared_ptr<const Episode> episode);
  absl::StatusOr<StatePtr> ImportRow(const torch::Tensor& row, StartFrame start);
  DynamicsState Gather(const std::vector<const ModelState*>& rows);

  // model_world_step.cc. Where a row of a step will be after the call, so that an error changes
  // none.
  struct Moved {
    ModelStep* row;
    SamplerState sampler;
    std::optional<ConditionCache> cache = std::nullopt;
    StepRow result = {};
  };
  struct Finished;
  absl::StatusOr<int64_t> LevelsOf(const StepOptions& options) const;
  absl::Status CheckStep(size_t i, const StepRequest& row) const;
  ConditionCache CachesOf(std::span<ModelStep* const> rows);
  absl::Status AdvanceTogether(std::span<ModelStep* const> rows, std::vector<Moved>& moved);
  // Gives those without a call left their results; `together` rows at a time.
  absl::Status FinishRows(std::vector<Moved>& moved, size_t together);
  void FinishTogether(std::span<Moved* const> done,
                      std::span<std::unique_ptr<StatePool::Slot>> slots);
  Finished Judge(const DynamicsState& state, const torch::Tensor& action, const torch::Tensor& age,
                 const torch::Tensor& target);
  gwm::Gaussians DecodeState(const ModelState& state);
  // [B, M, D]: see World::Features.
  torch::Tensor HiddenTokens(const std::vector<const ModelState*>& rows);

  std::unique_ptr<WorldModel> model_;
  io::TensorFile reset_pool_;
  StateLayout layout_;
  std::shared_ptr<StatePool> pool_;
  WorldSpec spec_;
  absl::Duration heads_time_;  // of the last Advance
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_MODEL_WORLD_H_
