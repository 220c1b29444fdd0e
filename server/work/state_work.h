// ExportState and ImportState: states of environments outside of their session's rows.
#ifndef GWM_SERVER_WORK_STATE_WORK_H_
#define GWM_SERVER_WORK_STATE_WORK_H_

#include <string>

#include "server/schedule/work.h"
#include "server/session/session_table.h"
#include "server/work/session_call.h"
#include "server/work/start_state.h"

namespace gwm::server {

struct ExportResult {
  std::string state_id;  // kept on the server, or
  StateContent content;  // everything about it; without tensors when it is kept
};

enum class ExportTo { kBytes, kServer };

// Of the one environment that the call names. FailedPrecondition / NEEDS_RESET when it has no
// state; ResourceExhausted / QUOTA when the server has no room to keep it.
class ExportWork : public SoloWork {
 public:
  // `table` outlives the work.
  ExportWork(SessionCall call, ExportTo target, SessionTable* table, Answer<ExportResult> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<ExportResult> result);
  absl::StatusOr<ExportResult> Export(World& world);

  SessionCall call_;
  const ExportTo target_;
  SessionTable* const table_;
  Answer<ExportResult> answer_;
};

// Puts a state that came as bytes onto the server, where the session keeps it. Errors as
// Materialise, and QUOTA.
class ImportWork : public SoloWork {
 public:
  ImportWork(SessionCall call, StateContent content, SessionTable* table,
             Answer<ExportResult> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<ExportResult> result);
  absl::StatusOr<ExportResult> Import(World& world);

  SessionCall call_;
  StartState start_;
  SessionTable* const table_;
  Answer<ExportResult> answer_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_STATE_WORK_H_
