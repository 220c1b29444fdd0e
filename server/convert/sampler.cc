#include "server/convert/sampler.h"

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {

StepOptions DefaultSampler(const WorldSpec& spec) {
  return {.sampler_calls = spec.default_sampler_calls, .sampler = spec.sampler};
}

absl::StatusOr<StepOptions> ParseSampler(uint32_t calls, v1::SamplerKind kind,
                                         const StepOptions& fallback, const WorldSpec& spec,
                                         const SamplerFields& fields) {
  StepOptions sampler = fallback;
  if (calls > static_cast<uint32_t>(spec.max_sampler_calls)) {
    return BadField(fields.calls, absl::StrCat(calls, " calls; 1 to ", spec.max_sampler_calls,
                                               " (or 0, the default) are allowed"));
  }
  if (calls > 0) sampler.sampler_calls = static_cast<int>(calls);
  switch (kind) {
    case v1::SAMPLER_KIND_UNSPECIFIED:
      return sampler;
    case v1::SAMPLER_KIND_EULER:
      sampler.sampler = SamplerKind::kEuler;
      return sampler;
    case v1::SAMPLER_KIND_HEUN:
      sampler.sampler = SamplerKind::kHeun;
      return sampler;
    default:
      return BadField(fields.kind, absl::StrCat(static_cast<int>(kind),
                                                "; SAMPLER_KIND_EULER and _HEUN are allowed"));
  }
}

v1::SamplerConfig ToProto(const StepOptions& sampler) {
  v1::SamplerConfig out;
  out.set_calls(static_cast<uint32_t>(sampler.sampler_calls));
  out.set_kind(sampler.sampler == SamplerKind::kHeun ? v1::SAMPLER_KIND_HEUN
                                                     : v1::SAMPLER_KIND_EULER);
  return out;
}

std::string SamplerName(SamplerKind kind) { return kind == SamplerKind::kHeun ? "heun" : "euler"; }

}  // namespace gwm::server
