#include "server/work/spill.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "server/base/status.h"

namespace gwm::server {
namespace {

// Leaves the session as it is when a state cannot be copied, or when it was taken into use
// meanwhile.
void SpillOne(World& world, SessionTable& table, Session& session) {
  std::map<const WorldState*, HostState> copies;
  uint64_t bytes = 0;
  const auto states = session.StatesInPool();
  for (const StatePtr& state : states) {
    auto tensors = world.ExportState(state);
    if (!tensors.ok()) return;
    for (const auto& [name, tensor] : *tensors) bytes += tensor.data.size();
    copies[state.get()] = std::make_shared<const StateTensors>(*std::move(tensors));
  }
  table.MoveToHost(session, copies, bytes);
}

absl::Status ImportAll(World& world, SessionTable& table, Session& session) {
  std::map<const StateTensors*, StatePtr> copies;
  for (const HostState& tensors : session.StatesOnHost()) {
    ASSIGN_OR_RETURN(copies[tensors.get()], world.ImportState(*tensors));
  }
  return table.MoveToPool(session, copies);
}

}  // namespace

void SpillFor(World& world, SessionTable& table, const ServedWorld& served, Room room) {
  // Places among the sessions are not what spilling gives.
  const Need need{.world = &served, .room = room};
  std::set<std::string> tried;
  while (!table.HasRoom(need)) {
    const std::shared_ptr<Session> next = table.NextToSpill(need, tried);
    if (next == nullptr) return;
    tried.insert(next->id());
    SpillOne(world, table, *next);
  }
}

absl::Status BringBack(World& world, const SessionCall& call) {
  Session& session = *call.session;
  if (!session.spilled()) return absl::OkStatus();
  const Room room{.envs = session.num_envs(), .kept = static_cast<uint32_t>(session.kept_states())};
  SpillFor(world, *call.table, *session.world(), room);
  RETURN_IF_ERROR(call.table->ReserveReturn(session));
  const absl::Status imported = ImportAll(world, *call.table, session);
  if (!imported.ok()) call.table->CancelReturn(session);
  return imported;
}

absl::StatusOr<SessionUse> CreateSpilling(World& world, SessionTable& table, SessionConfig config) {
  SpillFor(world, table, *config.world, {.envs = config.num_envs});
  return table.Create(std::move(config));
}

absl::Status ReserveSpilling(World& world, SessionTable& table, const Session& session, Room room) {
  SpillFor(world, table, *session.world(), room);
  return table.Reserve(session, room);
}

}  // namespace gwm::server
