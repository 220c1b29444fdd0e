// The sampler that a request asks for.
#ifndef GWM_SERVER_CONVERT_SAMPLER_H_
#define GWM_SERVER_CONVERT_SAMPLER_H_

#include <string>

#include "absl/status/statusor.h"
#include "engine/api/world.h"
#include "gwm/v1/session.pb.h"

namespace gwm::server {

// Where a request names a sampler.
struct SamplerFields {
  std::string calls = "sampler_calls";
  std::string kind = "sampler_kind";
};

// That of the model, with nothing left open.
StepOptions DefaultSampler(const WorldSpec& spec);

// calls 0 and kind UNSPECIFIED mean those of `fallback`.
absl::StatusOr<StepOptions> ParseSampler(uint32_t calls, v1::SamplerKind kind,
                                         const StepOptions& fallback, const WorldSpec& spec,
                                         const SamplerFields& fields = {});

v1::SamplerConfig ToProto(const StepOptions& sampler);

// "euler", "heun".
std::string SamplerName(SamplerKind kind);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_SAMPLER_H_
