// What a policy server takes and gives, as plain types and as protobuf.
#ifndef GWM_CLIENTS_CPP_SRC_POLICY_CONVERT_H_
#define GWM_CLIENTS_CPP_SRC_POLICY_CONVERT_H_

#include "gwm/policy_client.h"
#include "gwm/v1/policy.pb.h"

namespace gwm::client::internal {

v1::ActRequest ToProto(const ActRequest& request);
// Moves the bytes out of `reply`.
ActResult FromProto(v1::ActReply* reply);
PolicyInfo FromProto(v1::GetPolicyReply* reply);

}  // namespace gwm::client::internal

#endif  // GWM_CLIENTS_CPP_SRC_POLICY_CONVERT_H_
