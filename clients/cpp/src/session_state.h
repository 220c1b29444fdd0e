// What a Session remembers of itself.
#ifndef GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_
#define GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "clients/cpp/src/wire.h"
#include "gwm/session.h"
#include "gwm/v1/simulator.pb.h"

namespace gwm::client {

// Calls on different environments may come from several threads: they touch different entries of
// `steps`.
struct Session::State {
  explicit State(const v1::Session& session);

  // The steps that the named environments have made; empty when an id is out of range (the server
  // says so better) or when the server does not heed them.
  std::vector<uint64_t> Expected(const std::vector<uint32_t>& env_ids) const;
  // The named environments (none: all) stand at `step` of the row.
  void Note(const std::vector<uint32_t>& env_ids, const std::vector<uint64_t>& step);
  // A name for the next call; empty when the server does not heed it.
  std::string NextRequestId();
  // A step under a name of its own, from where the environments stand.
  v1::StepRequest StepOf(const Tensor& actions, const StepOptions& options);
  // Whether a call with such a name can be sent again.
  internal::Repeat repeat() const;

  // Environments were added, which stand at these steps.
  void Grow(const std::vector<uint64_t>& steps);

  const std::string id;
  uint32_t num_envs;
  const uint64_t seed;
  const ModelRef model;

 private:
  const bool replays_calls_;
  internal::CallNames call_names_;
  std::vector<uint64_t> steps_;
};

}  // namespace gwm::client

#endif  // GWM_CLIENTS_CPP_SRC_SESSION_STATE_H_
