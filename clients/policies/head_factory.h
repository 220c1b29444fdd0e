// Makes the head that a config names.
#ifndef GWM_CLIENTS_POLICIES_HEAD_FACTORY_H_
#define GWM_CLIENTS_POLICIES_HEAD_FACTORY_H_

#include <memory>

#include "clients/policies/chunk_head.h"
#include "clients/policies/policy_config.h"

namespace gwm::policies {

// With the initial weights of the config's seed. Requires a config that CheckConfig accepts.
std::unique_ptr<ChunkHead> MakeHead(const PolicyConfig& config);

}  // namespace gwm::policies

#endif  // GWM_CLIENTS_POLICIES_HEAD_FACTORY_H_
