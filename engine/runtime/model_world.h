// engine/api/world.h on top of a WorldModel.
#ifndef GWM_ENGINE_RUNTIME_MODEL_WORLD_H_
#define GWM_ENGINE_RUNTIME_MODEL_WORLD_H_

#include <memory>
#include <vector>

#include "engine/api/world.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/io/safetensors.h"
#include "engine/runtime/state_layout.h"
#include "engine/runtime/state_pool.h"

namespace gwm {

// A slot of the pool and the anchors of its episode, which all states of the episode share.
class ModelState : public WorldState {
 public:
  ModelState(std::unique_ptr<StatePool::Slot> slot, std::shared_ptr<const Anchors> anchors)
      : slot(std::move(slot)), anchors(std::move(anchors)) {}
  const std::unique_ptr<StatePool::Slot> slot;
  const std::shared_ptr<const Anchors> anchors;
};

class ModelWorld : public World {
 public:
  struct Options {
    int64_t pool_bytes = int64_t{1} << 30;
    std::string device_name = "cpu";
  };
  // reset_pool: the tensors of a checkpoint's reset pool, or empty.
  static absl::StatusOr<std::unique_ptr<ModelWorld>> Create(LoadedCheckpoint checkpoint,
                                                            io::TensorFile reset_pool,
                                                            const Options& options);

  const WorldSpec& spec() const override { return spec_; }
  absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) override;
  absl::StatusOr<std::vector<StepRow>> Step(const std::vector<StepRequest>& rows,
                                            const StepOptions& options) override;
  absl::StatusOr<std::vector<RenderedView>> Render(const std::vector<RenderRequest>& rows,
                                                   const RenderOptions& options) override;
  absl::StatusOr<std::vector<Camera>> Cameras(const StatePtr& state) override;
  absl::StatusOr<GaussianCloud> Gaussians(const StatePtr& state) override;
  absl::StatusOr<LatentTokens> Latents(const StatePtr& state) override;
  absl::StatusOr<StatePtr> WithLatents(const StatePtr& state, const TensorView& latents) override;
  absl::StatusOr<std::vector<HostTensor>> Features(const std::vector<StatePtr>& rows) override;

 private:
  ModelWorld(LoadedCheckpoint checkpoint, io::TensorFile reset_pool);
  absl::Status FillSpec(const std::string& digest, const Options& options);
  absl::StatusOr<StatePtr> ResetOne(const ResetRequest& row);
  absl::StatusOr<StatePtr> Store(const DynamicsState& state,
                                 std::shared_ptr<const Anchors> anchors);
  DynamicsState Gather(const std::vector<const ModelState*>& rows);
  absl::StatusOr<std::vector<StepRow>> StepRows(const std::vector<StepRequest>& rows,
                                                int64_t calls);
  gwm::Gaussians DecodeState(const ModelState& state);

  std::unique_ptr<WorldModel> model_;
  io::TensorFile reset_pool_;
  StateLayout layout_;
  std::shared_ptr<StatePool> pool_;
  WorldSpec spec_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_MODEL_WORLD_H_
