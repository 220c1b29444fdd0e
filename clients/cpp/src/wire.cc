#include "clients/cpp/src/wire.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <limits>
#include <random>
#include <thread>

namespace gwm::client::internal {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const ClientOptions& options) {
  const auto bytes = static_cast<int>(
      std::min<uint64_t>(options.max_message_bytes, std::numeric_limits<int>::max()));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(bytes);
  arguments.SetMaxSendMessageSize(bytes);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// Refused before it began, whatever the call.
bool WasNotBegun(const Error::Details& details) {
  if (details.reason == "OVERLOADED") return true;
  // A conflict between calls, not between the client's and the server's idea of the state.
  return details.reason == "STEP_CONFLICT" && details.retry_after.count() >= 0;
}

// 0.5..1: clients that wait together must not come back together.
double Jitter() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.5, 1.0)(generator);
}

}  // namespace

std::string RandomName() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i) text += std::to_string(random()) + "-";
  return text;
}

Wire::Wire(const std::string& address, const ClientOptions& options)
    : timeout_(options.timeout),
      retry_(options.retry),
      client_id_(options.client_id.empty() ? RandomName() : options.client_id),
      priority_(options.priority),
      channel_(MakeChannel(address, options)),
      simulator_(v1::Simulator::NewStub(channel_)),
      perception_(v1::Perception::NewStub(channel_)),
      models_(v1::Models::NewStub(channel_)),
      server_(v1::Server::NewStub(channel_)) {}

void Wire::SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout) const {
  context.set_deadline(DeadlineIn(timeout));
}

std::chrono::system_clock::time_point Wire::DeadlineIn(std::chrono::milliseconds timeout) const {
  return std::chrono::system_clock::now() + (timeout.count() > 0 ? timeout : timeout_);
}

Wire::Retry Wire::StartRetry(std::chrono::milliseconds timeout, Repeat repeat) const {
  return {.repeat = repeat,
          .deadline = DeadlineIn(timeout),
          .attempts_left = retry_.attempts - 1,
          .wait = retry_.first_wait};
}

bool Wire::WaitForRetry(const Error::Details& details, Retry& retry) const {
  const bool lost = details.code == Code::kUnavailable && retry.repeat == Repeat::kSafe;
  if (retry.attempts_left-- <= 0 || !(lost || WasNotBegun(details))) return false;
  const auto own = std::chrono::duration_cast<std::chrono::milliseconds>(retry.wait * Jitter());
  const auto pause = std::max(own, details.retry_after);
  // In milliseconds: the longest pause does not fit into the clock's own unit.
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      retry.deadline - std::chrono::system_clock::now());
  if (pause >= left) return false;
  if (retry_.sleep) {
    retry_.sleep(pause);
  } else {
    std::this_thread::sleep_for(pause);
  }
  retry.wait = std::min(retry.wait * 2, retry_.max_wait);
  return true;
}

}  // namespace gwm::client::internal
