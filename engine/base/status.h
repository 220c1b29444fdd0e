// The two macros of the code base: hand an error on, or unwrap a value.
#ifndef GWM_ENGINE_BASE_STATUS_H_
#define GWM_ENGINE_BASE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// GWM_RETURN_IF_ERROR(WriteIt(path));
#define GWM_RETURN_IF_ERROR(expression)                             \
  do {                                                              \
    if (absl::Status gwm_status = (expression); !gwm_status.ok()) { \
      return gwm_status;                                            \
    }                                                               \
  } while (false)

#define GWM_STATUS_CONCAT_INNER(a, b) a##b
#define GWM_STATUS_CONCAT(a, b) GWM_STATUS_CONCAT_INNER(a, b)
// NOLINTBEGIN(bugprone-macro-parentheses): `target` may be a declaration.
#define GWM_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) return std::move(result).status();         \
  target = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

// GWM_ASSIGN_OR_RETURN(auto episode, io::ReadEpisode(path));
#define GWM_ASSIGN_OR_RETURN(target, expression) \
  GWM_ASSIGN_OR_RETURN_INNER(GWM_STATUS_CONCAT(gwm_status_or_, __LINE__), target, expression)

#endif  // GWM_ENGINE_BASE_STATUS_H_
