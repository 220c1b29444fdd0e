// How a DynamicsState lies in one row of the state pool.
#ifndef GWM_ENGINE_RUNTIME_STATE_LAYOUT_H_
#define GWM_ENGINE_RUNTIME_STATE_LAYOUT_H_

#include "engine/model/world_model.h"

namespace gwm {

// [context C*M*L | past actions (K-1)*A | centres M*3], f32.
class StateLayout {
 public:
  explicit StateLayout(const ModelConfig& config)
      : frames_(config.dynamics.context_frames + (config.dynamics.remember_reset ? 1 : 0)),
        tokens_(config.tokens()),
        latent_(config.tokenizer.latent_dim),
        actions_(config.dynamics.action_history - 1),
        action_dim_(config.action_dim) {}

  int64_t floats() const { return context() + actions_ * action_dim_ + tokens_ * 3; }

  // [B, floats] -> state, as views.
  DynamicsState Unpack(const torch::Tensor& rows) const {
    const int64_t b = rows.size(0);
    DynamicsState state;
    state.context = rows.narrow(1, 0, context()).reshape({b, frames_, tokens_, latent_});
    state.actions =
        rows.narrow(1, context(), actions_ * action_dim_).reshape({b, actions_, action_dim_});
    state.centres =
        rows.narrow(1, context() + actions_ * action_dim_, tokens_ * 3).reshape({b, tokens_, 3});
    return state;
  }
  torch::Tensor Pack(const DynamicsState& state) const {
    return torch::cat(
        {state.context.flatten(1), state.actions.flatten(1), state.centres.flatten(1)}, 1);
  }

 private:
  int64_t context() const { return frames_ * tokens_ * latent_; }
  int64_t frames_, tokens_, latent_, actions_, action_dim_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_STATE_LAYOUT_H_
