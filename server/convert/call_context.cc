#include "server/convert/call_context.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"

namespace gwm::server {
namespace {

constexpr size_t kMaxNameBytes = 64;

}  // namespace

absl::Status CheckName(const std::string& name, const std::string& field) {
  const bool printable = std::all_of(name.begin(), name.end(), absl::ascii_isprint);
  if (name.size() <= kMaxNameBytes && printable) return absl::OkStatus();
  return BadField(field, absl::StrCat(Quoted(name), "; up to ", kMaxNameBytes,
                                      " printable ASCII characters are allowed"));
}

absl::Status ApplyContext(const v1::RequestContext& context, const Limits& limits,
                          CallHandle& call) {
  RETURN_IF_ERROR(CheckName(context.client_id(), "context.client_id"));
  if (!context.client_id().empty()) call.SetClient(context.client_id());
  switch (context.priority()) {
    case v1::PRIORITY_UNSPECIFIED:
    case v1::PRIORITY_NORMAL:
      return absl::OkStatus();
    case v1::PRIORITY_LOW:
      call.SetPriority(Priority::kLow);
      return absl::OkStatus();
    case v1::PRIORITY_HIGH:
      if (limits.allow_high_priority) call.SetPriority(Priority::kHigh);
      return absl::OkStatus();
    default:
      return BadField("context.priority", absl::StrCat(static_cast<int>(context.priority()),
                                                       "; a value of Priority is allowed"));
  }
}

}  // namespace gwm::server
