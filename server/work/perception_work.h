// Encode, Decode and Features: states that live for one call.
#ifndef GWM_SERVER_WORK_PERCEPTION_WORK_H_
#define GWM_SERVER_WORK_PERCEPTION_WORK_H_

#include <functional>
#include <memory>
#include <vector>

#include "server/schedule/work.h"
#include "server/work/frames_batch.h"
#include "server/work/images.h"
#include "server/work/session_call.h"

namespace gwm::server {

struct EncodeResult {
  HostTensor values;   // f32 [n, M, L] latents, or [n, M, D] features
  HostTensor centres;  // f32 [n, M, 3] m, world
};
enum class EncodeTo { kLatents, kFeatures };

struct DecodeArgs {
  FramesBatch frames;               // n rows, or one for all
  std::vector<TensorView> latents;  // n of f32 [M, L]; borrowed from the request until the answer
  std::vector<Camera> cameras;      // empty: those of the frames
  ImageOptions options;
};

// These run on the device thread.
absl::StatusOr<EncodeResult> Encode(World& world, const FramesBatch& frames, EncodeTo target);
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
