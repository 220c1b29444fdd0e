#include "clients/cpp/src/wire.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <limits>

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

}  // namespace

Wire::Wire(const std::string& address, const ClientOptions& options)
    : timeout_(options.timeout),
      channel_(MakeChannel(address, options)),
      simulator_(v1::Simulator::NewStub(channel_)),
      perception_(v1::Perception::NewStub(channel_)),
      server_(v1::Server::NewStub(channel_)) {}

void Wire::SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds timeout) const {
  const auto chosen = timeout.count() > 0 ? timeout : timeout_;
  context.set_deadline(std::chrono::system_clock::now() + chosen);
}

}  // namespace gwm::client::internal
