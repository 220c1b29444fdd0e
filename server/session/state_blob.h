// A state of an environment as bytes that a client can hold and bring to another server of the same
// checkpoint, where it continues bit for bit.
//
//   "GWMSTATE" | u32 schema version | u32 flags (1: sealed) | u64 size of the body
//   body: safetensors; its metadata holds model_id, checkpoint_digest, noise, seed, noise_env,
//   resets,
//         step, real_step, phase and max_episode_steps
//   u32 CRC-32C of everything before | if sealed: HMAC-SHA256 of everything before, 32 bytes
//
// All numbers are little endian. `noise` names the generator, which is keyed by seed, noise_env,
// episode (resets - 1) and step: these numbers are all of its state.
#ifndef GWM_SERVER_SESSION_STATE_BLOB_H_
#define GWM_SERVER_SESSION_STATE_BLOB_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "server/session/session.h"

namespace gwm::server {

struct StateContent {
  std::string model_id;
  std::string checkpoint_digest;
  Env env;                         // without its state and cameras
  uint32_t max_episode_steps = 0;  // of the session that it comes from
  StateTensors tensors;
};

// key: seals the blob; empty: no seal.
std::string EncodeState(const StateContent& content, std::string_view key);

// DataLoss / STATE_CORRUPT: truncated, altered, not a blob, or not sealed with `key` (empty: seals
// are not looked at). FailedPrecondition / STATE_MISMATCH: of another schema version. Errors name
// `field`. Allocates no more than a small multiple of the blob. Of which checkpoint it is remains
// to be looked at.
absl::StatusOr<StateContent> DecodeState(std::string_view blob, std::string_view key,
                                         std::string_view field);

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_STATE_BLOB_H_
