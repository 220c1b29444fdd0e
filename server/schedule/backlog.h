// How much device time is waiting, and how much of it goes before a new piece of work.
#ifndef GWM_SERVER_SCHEDULE_BACKLOG_H_
#define GWM_SERVER_SCHEDULE_BACKLOG_H_

#include <array>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "server/schedule/batch_size.h"
#include "server/schedule/cost_table.h"
#include "server/schedule/work_class.h"

namespace gwm::server {

// What a piece of work asks of the device.
struct Demand {
  Stage stage = Stage::kOther;
  int rows = 1;
  int calls = 1;    // of the denoiser, each row
  int shown = 0;    // rows whose observations follow
  int repeats = 1;  // how often the same comes again before the client has its answer
};

// Device time of the demand once, repeats aside: denoiser calls as they cost in the largest good
// batches, since much that waits is computed together. Stages that were never measured count as
// nothing.
absl::Duration LoadOf(const Demand& demand, const CostTable& costs, const BatchLimits& limits);

// Thread-compatible.
class Backlog {
 public:
  // turn: how long one client may keep the device.
  explicit Backlog(absl::Duration turn) : turn_(turn) {}

  void Add(WorkClass work_class, const std::string& client, absl::Duration load);
  // What Add was given, or the rest of it; `last`: the piece of work is through.
  void Remove(WorkClass work_class, const std::string& client, absl::Duration load, bool last);

  // Device time of all that waits in the class and those above it: at least as much as Ahead says,
  // and quicker to tell.
  absl::Duration UpTo(WorkClass work_class) const;
  // Device time that goes before a piece of work of `own` load: all of higher classes, all that
  // its client has in its class, and of each other client there as much as turns allow.
  absl::Duration Ahead(WorkClass work_class, const std::string& client, absl::Duration own) const;
  // When the piece of work is done if all clients of its class go on as they do: those that wait
  // now share the device evenly.
  absl::Duration FairFinish(WorkClass work_class, const std::string& client,
                            absl::Duration own) const;
  // Of one class alone.
  absl::Duration Of(WorkClass work_class) const { return ClassOf(work_class).load; }
  int works(WorkClass work_class) const { return ClassOf(work_class).works; }

 private:
  struct ClientLoad {
    absl::Duration load;
    int works = 0;
  };
  struct ClassLoad {
    std::map<std::string, ClientLoad> clients;
    absl::Duration load;  // of all clients
    int works = 0;
  };
  const ClassLoad& ClassOf(WorkClass c) const { return classes_[static_cast<size_t>(c)]; }

  const absl::Duration turn_;
  std::array<ClassLoad, kWorkClasses> classes_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_BACKLOG_H_
