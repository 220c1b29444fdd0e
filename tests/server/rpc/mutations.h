// Requests broken on purpose: the same seed breaks them in the same way.
#ifndef GWM_TESTS_SERVER_RPC_MUTATIONS_H_
#define GWM_TESTS_SERVER_RPC_MUTATIONS_H_

#include <google/protobuf/message.h>

#include <random>
#include <string>

namespace gwm::server {

using Random = std::mt19937_64;

// Changes one field somewhere below `message`.
void MutateMessage(google::protobuf::Message& message, Random& random);
// One to three edits anywhere: bytes changed, left out, put in, the end cut off.
std::string MutateBytes(std::string bytes, Random& random);

}  // namespace gwm::server

#endif  // GWM_TESTS_SERVER_RPC_MUTATIONS_H_
