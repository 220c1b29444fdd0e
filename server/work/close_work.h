// CloseSession in its turn: after the works on the session that were submitted before it.
#ifndef GWM_SERVER_WORK_CLOSE_WORK_H_
#define GWM_SERVER_WORK_CLOSE_WORK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/schedule/work.h"
#include "server/session/session_table.h"

namespace gwm::server {

class CloseWork : public SoloWork {
 public:
  using Done = std::function<void(const absl::Status&)>;
  // `sessions` outlives the work.
  CloseWork(std::shared_ptr<CallHandle> call, SessionUse session, SessionTable* sessions, Done done)
      : SoloWork(std::move(call), &*session, session->world(), {.stage = Stage::kState}),
        session_(std::move(session)),
        sessions_(sessions),
        done_(std::move(done)) {}

  void Run(World&, const RunTiming&) override {
    const std::string id = session_->id();
    session_.Release();
    Refuse(sessions_->Close(id));
  }
  void Refuse(const absl::Status& status) override {
    session_.Release();
    if (auto done = std::exchange(done_, nullptr)) done(status);
  }

 private:
  SessionUse session_;
  SessionTable* const sessions_;
  Done done_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_CLOSE_WORK_H_
