// A session: num_envs environments on a server, stepped together or in any subset.
#ifndef GWM_SESSION_H_
#define GWM_SESSION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gwm/export.h"
#include "gwm/step_stream.h"
#include "gwm/types.h"

namespace gwm::client {

namespace internal {
class Wire;
}

// Movable. The destructor closes the session on the server; call Close() to learn whether that
// worked. Calls may come from several threads as long as they concern different environments. Every
// call throws Error and then leaves the session as it was.
//
// Exactly once: Step and Reset carry a name, and Step the number of steps that each environment has
// made, so that a call whose reply got lost is sent again safely (servers with
// Spec::replays_calls). When the outcome of a call stays unknown all the same (a deadline, say),
// the next Step may fail with kAborted / STEP_CONFLICT; Resync and go on.
class GWM_CLIENT_EXPORT Session {
 public:
  Session(Session&& other) noexcept;
  Session& operator=(Session&& other) noexcept;
  ~Session();

  const std::string& id() const;
  uint32_t num_envs() const;
  // The version of the model that the session stays on.
  const ModelRef& model() const;
  // The root of the session's randomness: chosen by the server unless SessionOptions named one.
  uint64_t seed() const;

  // Starts a new episode in each named environment.
  ResetResult Reset(const ResetOptions& options = {});
  // Advances each named environment. actions: f32 [n, A].
  StepResult Step(const Tensor& actions, const StepOptions& options = {});
  // A stream for steps of many environments at once, each answered as soon as it is done. The
  // session outlives it.
  StepStream Run();
  // Images of the present states; changes nothing.
  Images Render(const RenderOptions& options = {});
  // Rolls a copy of one environment forward; the session does not change. actions: f32 [B, T, A].
  // `on_chunk` is called in this thread for every chunk; returning false ends the rollout early.
  void Imagine(const Tensor& actions, const ImagineOptions& options,
               const std::function<bool(const ImagineChunk&)>& on_chunk);
  // Tries action sequences f32 [K, H, A] on copies of one environment; the session does not change.
  PlanResult Plan(const Tensor& actions, const PlanOptions& options = {});
  // Compares the environments with what really happened, n worlds of frames, and lets them go on
  // from there when asked to; the step counts stay.
  ObserveResult Observe(const Frames& frames, const ObserveOptions& options = {});
  // A new session whose environments go on from where these are: the first one's children, then the
  // second's, ...
  Session Fork(const ForkOptions& options = {});
  // The same, but the children become new environments of this session. Returns their ids. Not from
  // several threads.
  std::vector<uint32_t> ForkHere(const ForkOptions& options = {});
  // The state of an environment, as bytes.
  StateRef ExportState(uint32_t env_id = 0);
  // The same, kept by the server until this session ends.
  StateRef KeepState(uint32_t env_id = 0);
  // Puts bytes onto the server, so that they need not be sent again; kept until this session ends.
  StateRef ImportState(const std::string& blob);
  // Gives a kept state back. Twice is fine.
  void DropState(const StateRef& state);
  // Asks the server how many steps each environment has made, for the next Step. Returns them.
  std::vector<uint64_t> Resync();
  // Renews the lease without doing anything else. Returns how long it lasts.
  std::chrono::milliseconds Renew();
  // Gives the environments back. Closing twice is fine.
  void Close();

 private:
  friend class Client;
  friend class StepStream;
  struct State;
  Session(std::shared_ptr<internal::Wire> wire, std::unique_ptr<State> state);

  std::shared_ptr<internal::Wire> wire_;  // Shared with the Client, which may go first.
  std::unique_ptr<State> state_;
};

}  // namespace gwm::client

#endif  // GWM_SESSION_H_
