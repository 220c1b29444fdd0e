// Requests, connections and outcomes that all loads share.
#ifndef GWM_CLIENTS_BENCH_CALLS_H_
#define GWM_CLIENTS_BENCH_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "clients/bench/load.h"
#include "gwm/v1/simulator.grpc.pb.h"

namespace gwm::bench {

// A connection of its own, never shared with another stub.
std::unique_ptr<v1::Simulator::Stub> Dial(const std::string& address);

v1::CreateSessionRequest CreateRequest(const LoadOptions& options, uint64_t seed);
// Actions of 0 for all environments of the session.
v1::StepRequest StepRequest(const std::string& session, uint32_t envs, int64_t action_dim);

// Of the server's action; throws std::runtime_error when it does not answer.
int64_t AskActionDim(v1::Simulator::Stub& stub);
// A session that was reset; throws std::runtime_error with the server's words when it is refused.
std::string MakeSession(v1::Simulator::Stub& stub, const LoadOptions& options, uint64_t seed);
void CloseSession(v1::Simulator::Stub& stub, const std::string& session);

// "RESOURCE_EXHAUSTED/OVERLOADED"; `details` is a serialised google.rpc.Status.
std::string ErrorName(int code, const std::string& details);

double MsSince(Clock::time_point start);
double DeviceMs(const v1::StepTiming& timing);

// Counts what is under way, so that Stop can wait for it. Thread-safe.
class Pending {
 public:
  void Enter() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void Leave() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void AwaitNone() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int64_t count_ = 0;
};

}  // namespace gwm::bench

#endif  // GWM_CLIENTS_BENCH_CALLS_H_
