// The two macros of the server: hand an error on, or unwrap a value.
#ifndef GWM_SERVER_BASE_STATUS_H_
#define GWM_SERVER_BASE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// RETURN_IF_ERROR(CheckIt(request));
#define RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                  \
    if (absl::Status status_here = (expression); !status_here.ok()) return status_here; \
  } while (false)

#define GWM_SERVER_CONCAT_INNER(a, b) a##b
#define GWM_SERVER_CONCAT(a, b) GWM_SERVER_CONCAT_INNER(a, b)
// NOLINTBEGIN(bugprone-macro-parentheses): `target` may be a declaration.
#define GWM_SERVER_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                               \
  if (!result.ok()) return std::move(result).status();      \
  target = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

// ASSIGN_OR_RETURN(auto session, table.Find(id));
#define ASSIGN_OR_RETURN(target, expression) \
  GWM_SERVER_ASSIGN_INNER(GWM_SERVER_CONCAT(status_or_, __LINE__), target, expression)

#endif  // GWM_SERVER_BASE_STATUS_H_
