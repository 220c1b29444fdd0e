// The channel, the stubs and the way of one call: deadline, status, exception.
#ifndef GWM_CLIENTS_CPP_SRC_WIRE_H_
#define GWM_CLIENTS_CPP_SRC_WIRE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "clients/cpp/src/status.h"
#include "gwm/client.h"
#include "gwm/v1/models.grpc.pb.h"
#include "gwm/v1/perception.grpc.pb.h"
#include "gwm/v1/server.grpc.pb.h"
#include "gwm/v1/simulator.grpc.pb.h"

namespace gwm::client::internal {

// Which failed calls may be sent again.
enum class Repeat {
  kSafe,           // repeating does no harm: also those whose outcome is not known
  kOnlyIfRefused,  // those that the server certainly did not begin
};

// Unguessable text of at most 48 characters.
std::string RandomName();

// Names by which a server knows a call that comes again; none twice. Thread-safe.
class CallNames {
 public:
  std::string Next() { return prefix_ + std::to_string(++calls_); }

 private:
  const std::string prefix_ = RandomName();  // two programs may use one session, or one client_id
  std::atomic<uint64_t> calls_ = 0;
};

class Wire {
 public:
  Wire(const std::string& address, const ClientOptions& options);

  v1::Simulator::Stub& simulator() { return *simulator_; }
  v1::Perception::Stub& perception() { return *perception_; }
  v1::Models::Stub& models() { return *models_; }
  v1::Server::Stub& server() { return *server_; }
  grpc::Channel& channel() { return *channel_; }
  const std::string& client_id() const { return client_id_; }
  // A name for a call outside of sessions.
  std::string NextRequestId() { return call_names_.Next(); }
  const std::shared_ptr<grpc::Channel>& shared_channel() const { return channel_; }

  // One unary call, for example Call<v1::StepReply>(simulator(), &v1::Simulator::Stub::Step,
  // request, timeout, Repeat::kSafe). timeout 0: the client's own; repetitions included.
  template <typename Reply, typename Stub, typename Method, typename Request>
  Reply Call(Stub& stub, Method method, Request&& request, std::chrono::milliseconds timeout,
             Repeat repeat) {
    SetPriority(request);
    Retry retry = StartRetry(timeout, repeat);
    while (true) {
      grpc::ClientContext context;
      context.set_deadline(retry.deadline);
      Reply reply;
      const grpc::Status status = (stub.*method)(&context, request, &reply);
      if (status.ok()) return reply;
      const Error::Details details = DetailsOf(status, context);
      if (!WaitForRetry(details, retry)) throw Error(details);
    }
  }

  // Marks a request whose kind has a context with the client's priority.
  template <typename Request>
  void SetPriority(Request& request) const {
    static_assert(!std::is_const_v<Request>);
    if constexpr (requires { request.mutable_context(); }) {
      if (priority_ != Priority::kNormal) {
        request.mutable_context()->set_priority(static_cast<v1::Priority>(priority_));
      }
    }
  }

  void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout) const;

  // Where the attempts of one call stand.
  struct Retry {
    Repeat repeat;
    std::chrono::system_clock::time_point deadline;
    int attempts_left;
    std::chrono::milliseconds wait;
  };
  Retry StartRetry(std::chrono::milliseconds timeout, Repeat repeat) const;
  // Waits before the next attempt; false: there is none.
  bool WaitForRetry(const Error::Details& details, Retry& retry) const;

 private:
  std::chrono::system_clock::time_point DeadlineIn(std::chrono::milliseconds timeout) const;

  const std::chrono::milliseconds timeout_;
  const RetryPolicy retry_;
  const std::string client_id_;
  const Priority priority_;
  CallNames call_names_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Simulator::Stub> simulator_;
  std::unique_ptr<v1::Perception::Stub> perception_;
  std::unique_ptr<v1::Models::Stub> models_;
  std::unique_ptr<v1::Server::Stub> server_;
};

}  // namespace gwm::client::internal

#endif  // GWM_CLIENTS_CPP_SRC_WIRE_H_
