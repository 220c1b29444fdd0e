#include "gwm/policy_client.h"

#include "clients/cpp/src/policy_convert.h"
#include "clients/cpp/src/wire.h"
#include "gwm/v1/policy.grpc.pb.h"

namespace gwm::client {

using internal::FromProto;
using internal::Repeat;
using internal::ToProto;

struct PolicyClient::State {
  State(const std::string& address, const ClientOptions& options)
      : wire(address, options), stub(v1::Policy::NewStub(wire.shared_channel())) {}

  internal::Wire wire;
  const std::unique_ptr<v1::Policy::Stub> stub;
};

PolicyClient::PolicyClient(const std::string& address, const ClientOptions& options)
    : state_(std::make_unique<State>(address, options)) {}
PolicyClient::~PolicyClient() = default;

PolicyInfo PolicyClient::GetPolicy(const PolicyRef& policy) {
  v1::GetPolicyRequest request;
  request.set_policy_id(policy.policy_id);
  request.set_policy_digest(policy.policy_digest);
  auto reply =
      state_->wire.Call<v1::GetPolicyReply>(*state_->stub, &v1::Policy::Stub::GetPolicy, request,
                                            std::chrono::milliseconds(0), Repeat::kSafe);
  return FromProto(&reply);
}

ActResult PolicyClient::Act(const ActRequest& request) {
  auto reply = state_->wire.Call<v1::ActReply>(*state_->stub, &v1::Policy::Stub::Act,
                                               ToProto(request), request.timeout, Repeat::kSafe);
  return FromProto(&reply);
}

}  // namespace gwm::client
