// What a plan is tried on: action sequences from where the real environment is now.
#ifndef GWM_CLIENTS_PLANNER_MODEL_WORLD_H_
#define GWM_CLIENTS_PLANNER_MODEL_WORLD_H_

#include <torch/torch.h>

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "clients/planner/real_world.h"
#include "gwm/client.h"

namespace gwm::planner {

// How the model is told where the real environment is.
enum class Follow {
  kFrames,  // Reset from its newest frames: any model
  kState,   // its exported state: the same kind of world, so the exact simulator
};

struct ModelWorldOptions {
  Follow follow = Follow::kFrames;
  double discount = 1;
  // Added to the return of a sequence that meets the goal.
  double success_bonus = 0;
  uint64_t seed = 0;
};

class ModelWorld {
 public:
  // Throws client::Error, also when the server has no Simulator.Plan.
  ModelWorld(client::Client& client, const ModelWorldOptions& options);

  const client::Spec& spec() const { return spec_; }
  // Frames of the real environment that a context holds; 0 when states are followed.
  int context_frames() const;
  // From now on plans start where `real` is. Throws client::Error.
  void Anchor(RealWorld& real);
  // [K, H, A] f32 -> [K] f32, in calls of as many sequences as the server takes. Unavailable with
  // the server's words when one fails.
  absl::StatusOr<torch::Tensor> Returns(const torch::Tensor& actions);
  // Tried so far, all sequences together.
  int64_t imagined_steps() const { return imagined_steps_; }

 private:
  torch::Tensor Try(const torch::Tensor& actions);

  ModelWorldOptions options_;
  client::Spec spec_;
  int64_t most_sequences_;
  client::Session session_;
  std::optional<client::StateRef> state_;
  int64_t imagined_steps_ = 0;
};

}  // namespace gwm::planner

#endif  // GWM_CLIENTS_PLANNER_MODEL_WORLD_H_
