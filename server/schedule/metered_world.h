// A world whose calls are watched: what they cost the work that makes them, and whether the device
// still answers.
#ifndef GWM_SERVER_SCHEDULE_METERED_WORLD_H_
#define GWM_SERVER_SCHEDULE_METERED_WORLD_H_

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/api/world.h"
#include "server/base/clock.h"
#include "server/base/latency.h"

namespace gwm::server {

// What the device thread is busy with, and what came of it. Device thread only.
struct DeviceMeter {
  const Clock* clock = nullptr;
  LatencyLedger* ledger = nullptr;  // of the work that runs; null: nobody counts
  bool advanced = false;            // a denoiser call succeeded
  int out_of_memory = 0;            // calls that did not fit into memory
  absl::Status lost;                // not OK: the device is gone for good

  void Mark(LatencyStage stage) const {
    if (ledger != nullptr) ledger->Mark(stage, clock->Now());
  }
};

// Unavailable / DEVICE_LOST: what all calls get once the device is gone.
absl::Status DeviceLostError();

// Denoiser calls are counted by whoever makes them: they are made for several works at a time. An
// error that says that the device is gone (World) reaches the meter whole and the caller as
// DeviceLostError.
class MeteredWorld final : public World {
 public:
  // meter: outlives the world.
  MeteredWorld(std::unique_ptr<World> world, DeviceMeter* meter)
      : world_(std::move(world)), meter_(*meter) {}

  const WorldSpec& spec() const override { return world_->spec(); }
  absl::StatusOr<std::vector<StatePtr>> Reset(const std::vector<ResetRequest>& rows) override {
    return Metered(LatencyStage::kEncode, [&] { return world_->Reset(rows); });
  }
  absl::StatusOr<std::vector<StepInProgressPtr>> BeginStep(const std::vector<StepRequest>& rows,
                                                           const StepOptions& options) override {
    return Seen(world_->BeginStep(rows, options));
  }
  absl::Status Advance(std::span<StepInProgress* const> rows) override {
    absl::Status status = Seen(world_->Advance(rows));
    meter_.advanced = meter_.advanced || status.ok();
    return status;
  }
  absl::Duration HeadsTime() const override { return world_->HeadsTime(); }
  absl::StatusOr<std::vector<RenderedView>> Render(const std::vector<RenderRequest>& rows,
                                                   const RenderOptions& options) override {
    return Metered(LatencyStage::kRender, [&] { return world_->Render(rows, options); });
  }
  absl::StatusOr<std::vector<Camera>> Cameras(const StatePtr& state) override {
    return Seen(world_->Cameras(state));
  }
  absl::StatusOr<GaussianCloud> Gaussians(const StatePtr& state) override {
    return Metered(LatencyStage::kRender, [&] { return world_->Gaussians(state); });
  }
  absl::StatusOr<GaussianCloud> SampleGaussians(const StatePtr& state, int64_t count) override {
    return Metered(LatencyStage::kRender, [&] { return world_->SampleGaussians(state, count); });
  }
  absl::StatusOr<LatentTokens> Latents(const StatePtr& state) override {
    return Metered(LatencyStage::kRender, [&] { return world_->Latents(state); });
  }
  absl::StatusOr<StatePtr> WithLatents(const StatePtr& state, const TensorView& latents) override {
    return Metered(LatencyStage::kEncode, [&] { return world_->WithLatents(state, latents); });
  }
  absl::StatusOr<StateTensors> ExportState(const StatePtr& state) override {
    return Seen(world_->ExportState(state));
  }
  absl::StatusOr<StatePtr> ImportState(const StateTensors& tensors) override {
    return Metered(LatencyStage::kEncode, [&] { return world_->ImportState(tensors); });
  }
  absl::StatusOr<Comparison> Compare(const StatePtr& state, const RgbdFrames& frames) override {
    return Metered(LatencyStage::kEncode, [&] { return world_->Compare(state, frames); });
  }
  absl::StatusOr<std::vector<HostTensor>> Features(const std::vector<StatePtr>& rows) override {
    return Metered(LatencyStage::kDynamics, [&] { return world_->Features(rows); });
  }

 private:
  template <typename Call>
  std::invoke_result_t<Call> Metered(LatencyStage stage, const Call& call) {
    meter_.Mark(LatencyStage::kPack);
    auto result = Seen(call());
    meter_.Mark(stage);
    return result;
  }
  absl::Status Seen(absl::Status status) {
    if (absl::IsResourceExhausted(status)) ++meter_.out_of_memory;
    if (!absl::IsUnavailable(status)) return status;
    meter_.lost.Update(status);
    return DeviceLostError();
  }
  template <typename T>
  absl::StatusOr<T> Seen(absl::StatusOr<T> result) {
    if (result.ok()) return result;
    return Seen(result.status());
  }

  const std::unique_ptr<World> world_;
  DeviceMeter& meter_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_METERED_WORLD_H_
