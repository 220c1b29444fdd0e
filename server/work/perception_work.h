// Encode, Decode and Features: states that live for one call.
#ifndef GWM_SERVER_WORK_PERCEPTION_WORK_H_
#define GWM_SERVER_WORK_PERCEPTION_WORK_H_

#include <functional>
#include <memory>
#include <vector>

#include "server/schedule/work.h"
#include "server/work/feature_pool.h"
#include "server/work/frames_batch.h"
#include "server/work/images.h"
#include "server/work/session_call.h"

namespace gwm::server {

struct EncodeArgs {
  FramesBatch frames;
  int64_t gaussian_count = 0;  // 0: none
};
struct EncodeResult {
  HostTensor latents;                    // f32 [n, M, L]
  HostTensor centres;                    // f32 [n, M, 3] m, world
  std::vector<GaussianCloud> gaussians;  // n of gaussian_count each, or none
};

struct FeatureArgs {
  FramesBatch frames;
  FeaturePooling pooling = FeaturePooling::kTokens;
  DType dtype = DType::kF32;  // kF32, kF16 or kBF16
};
struct FeatureResult {
  HostTensor features;  // [n, M, D], [n, D] or [n, 8, D]
  HostTensor centres;   // f32 [n, M, 3] m, world; empty when pooled
};

struct DecodeArgs {
  FramesBatch frames;               // n rows, or one for all
  std::vector<TensorView> latents;  // n of f32 [M, L]; borrowed from the request until the answer
  std::vector<Camera> cameras;      // empty: those of the frames
  ImageOptions options;
};

// These run on the device thread.
absl::StatusOr<EncodeResult> Encode(World& world, const EncodeArgs& args);
absl::StatusOr<FeatureResult> Features(World& world, const FeatureArgs& args);
absl::StatusOr<Images> Decode(World& world, const DecodeArgs& args);

// A work without a session, out of a function of the world.
template <typename Result>
class WorldCall : public SoloWork {
 public:
  using Function = std::function<absl::StatusOr<Result>(World&)>;
  WorldCall(std::shared_ptr<CallHandle> call, WorldHandle world, Function function,
            Answer<Result> answer, const Demand& demand)
      : SoloWork(std::move(call), nullptr, std::move(world), demand),
        function_(std::move(function)),
        answer_(std::move(answer)) {}

  void Run(World& world, const RunTiming&) override {
    auto result = function_(world);
    function_ = nullptr;  // no state that it holds outlives the answer
    answer_(std::move(result));
  }
  void Refuse(const absl::Status& status) override { answer_(status); }

 private:
  Function function_;
  Answer<Result> answer_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_PERCEPTION_WORK_H_
