// Fork: environments that go on from where others are. States are shared until they differ, so a
// fork copies nothing.
#ifndef GWM_SERVER_WORK_FORK_WORK_H_
#define GWM_SERVER_WORK_FORK_WORK_H_

#include <optional>
#include <vector>

#include "server/schedule/work.h"
#include "server/session/session_table.h"
#include "server/work/session_call.h"

namespace gwm::server {

// Whose random numbers a child draws.
enum class ForkSeed {
  kKeep,   // those of its parent: the same actions give the same bits
  kSplit,  // its own, a function of the parent's seed and place and of the number of the fork
};

struct ForkArgs {
  uint32_t count = 1;  // children of each environment
  ForkSeed seed = ForkSeed::kKeep;
  bool into_same_session = false;  // else a new session of the same settings
  uint32_t max_envs_per_session = 1;
  std::optional<ReplayKey> replay;  // absent: the call will not be repeated
};

struct ForkResult {
  SessionUse session;             // that of the children
  std::vector<uint32_t> env_ids;  // of the first environment's children, then the second's, ...
  bool replayed = false;          // made before, by the same call
};

// A repeated call gets the children that it made before. FailedPrecondition / NEEDS_RESET for an
// environment without a state; OutOfRange / LIMIT; ResourceExhausted / QUOTA. An error leaves both
// sessions as they were.
class ForkWork : public SoloWork {
 public:
  // `table` outlives the work.
  ForkWork(SessionCall call, ForkArgs args, SessionTable* table, Answer<ForkResult> answer);

  void Run(World& world, const RunTiming& timing) override;
  void Refuse(const absl::Status& status) override { Reply(status); }

 private:
  void Reply(absl::StatusOr<ForkResult> result);
  absl::StatusOr<ForkResult> ForkOnce(World& world);
  absl::StatusOr<ForkResult> Fork(World& world);
  // first_id: of the first child.
  std::vector<Env> Children(const std::vector<Env>& parents, uint32_t first_id) const;
  absl::StatusOr<ForkResult> IntoSameSession(World& world, const std::vector<Env>& parents);
  absl::StatusOr<ForkResult> IntoNewSession(World& world, const std::vector<Env>& parents);

  SessionCall call_;
  const ForkArgs args_;
  SessionTable* const table_;
  Answer<ForkResult> answer_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_FORK_WORK_H_
