// Steps of many environments on one stream, each answered as soon as it is done.
//
//   auto stream = session.Run();
//   for (uint32_t env = 0; env < session.num_envs(); ++env) stream.Send(first, {.env_ids = {env}});
//   while (training) {
//     auto [env_ids, result] = stream.Recv();
//     stream.Send(Policy(result), {.env_ids = env_ids});
//   }
#ifndef GWM_STEP_STREAM_H_
#define GWM_STEP_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "gwm/export.h"
#include "gwm/types.h"

namespace gwm::client {

// Movable. Not for several threads at once. Calls throw Error.
//
// An environment has one step on its way at a time. A connection that breaks is opened again and
// the steps that were not answered are sent again, under the names that they had, so that nothing
// happens twice.
class GWM_CLIENT_EXPORT StepStream {
 public:
  struct Answer {
    std::vector<uint32_t> env_ids;
    StepResult result;
  };

  StepStream(StepStream&& other) noexcept;
  StepStream& operator=(StepStream&& other) noexcept;
  // Ends the stream; steps on their way may or may not happen.
  ~StepStream();

  // Most calls that may be on their way, as the server says.
  uint32_t window() const;
  // Calls that Recv has not answered yet.
  size_t in_flight() const;

  // Starts a step, as Session::Step. Error(kInvalidArgument) when one of the environments waits for
  // an answer, or when `window` calls are on their way. options.timeout is not heeded.
  void Send(const Tensor& actions, const StepOptions& options = {});
  // The next answer. A step that failed throws its Error; its environments are as they were, and
  // failed_env_ids tells which.
  Answer Recv();
  // Of the Error that Recv threw last.
  const std::vector<uint32_t>& failed_env_ids() const;

 private:
  friend class Session;
  class Pipe;
  explicit StepStream(std::unique_ptr<Pipe> pipe);
  std::unique_ptr<Pipe> pipe_;
};

}  // namespace gwm::client

#endif  // GWM_STEP_STREAM_H_
