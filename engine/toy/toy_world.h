// A task as a world: states in a pool, steps of one call, pictures of its scene.
#ifndef GWM_ENGINE_TOY_TOY_WORLD_H_
#define GWM_ENGINE_TOY_TOY_WORLD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/api/world.h"
#include "engine/toy/task.h"

namespace gwm::toy {

// Latents are the state itself, each entry mapped from its range onto [-1, 1]: one token at the
// origin; features are the same.
class ToyWorld final : public World {
 public:
  static constexpr int kStarts = 4096;  // entries of the pool

  ToyWorld(std::unique_ptr<Task> task, int64_t pool_bytes);

  const WorldSpec& spec() const override { return spec_; }
  absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) override;
  absl::StatusOr<std::vector<StepInProgressPtr>> BeginStep(const std::vector<StepRequest>& rows,
                                                           const StepOptions& options) override;
  absl::Status Advance(std::span<StepInProgress* const> rows) override;
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
  // ResourceExhausted when so many more states do not fit.
  absl::Status CheckRoom(size_t states) const;
  StatePtr Make(std::vector<float> values);

  const std::unique_ptr<Task> task_;
  WorldSpec spec_;
  // Shared with the states, which may outlive the world.
  std::shared_ptr<std::atomic<int64_t>> live_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_TOY_WORLD_H_
