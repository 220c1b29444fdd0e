// Who gets memory for states, and who has to give way.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/session/session_table.h"

namespace gwm::server {

SessionTable::Occupancy SessionTable::OccupancyOf(const ServedWorld& world) const {
  const auto found = use_.find(&world);
  return {.sessions = sessions_.size(),
          .use = found == use_.end() ? RoomUse() : found->second,
          .world = &world};
}

absl::Status SessionTable::CheckNeed(const Occupancy& taken, const Need& need) const {
  if (taken.sessions + need.sessions > options_.max_sessions) {
    return QuotaError(absl::StrCat("all ", options_.max_sessions, " sessions are in use"));
  }
  return CheckRoom(options_.room, need.world->spec(), taken.use, need.room);
}

absl::Status SessionTable::CheckNeed(const Need& need) const {
  return CheckNeed(OccupancyOf(*need.world), need);
}

bool SessionTable::HasRoom(const Need& need) const {
  absl::MutexLock lock(&mutex_);
  return CheckNeed(need).ok();
}

bool SessionTable::CouldHaveRoom(const Need& need) const {
  absl::MutexLock lock(&mutex_);
  Occupancy left = OccupancyOf(*need.world);
  if (CheckNeed(left, need).ok()) return true;
  for (const auto& [id, entry] : sessions_) {
    const SessionConfig& config = entry.session->config();
    if (!entry.session->IdleSince().has_value()) continue;
    if (config.evictable) {
      left.Leave(entry);
    } else if (config.spillable) {
      left.MoveOut(entry);
    }
  }
  return CheckNeed(left, need).ok();
}

absl::Status SessionTable::Reserve(const Session& session, Room room) {
  absl::MutexLock lock(&mutex_);
  const auto entry = sessions_.find(session.id());
  if (entry == sessions_.end()) return MissingError(session.id());
  Room& own = entry->second.room;
  if (room.kept > 0 && own.kept + room.kept > options_.max_kept_states) {
    return QuotaError(absl::StrCat("the session keeps ", own.kept, " states; max_kept_states = ",
                                   options_.max_kept_states, " are allowed"));
  }
  RETURN_IF_ERROR(CheckNeed({.world = session.world().get(), .room = room}));
  own.envs += room.envs;
  own.kept += room.kept;
  use_[session.world().get()].Add(room);
  return absl::OkStatus();
}

void SessionTable::Unreserve(const Session& session, Room room) {
  absl::MutexLock lock(&mutex_);
  const auto entry = sessions_.find(session.id());
  if (entry == sessions_.end()) return;
  entry->second.room.envs -= room.envs;
  entry->second.room.kept -= room.kept;
  // The host memory of a spilled session comes back as a whole.
  if (entry->second.in_pool) use_[session.world().get()].Remove(room);
}

std::vector<std::shared_ptr<Session>> SessionTable::EvictFor(const Need& need) {
  std::vector<std::pair<absl::Time, Map::iterator>> idle;
  Occupancy left = OccupancyOf(*need.world);
  for (auto entry = sessions_.begin(); entry != sessions_.end(); ++entry) {
    const Session& session = *entry->second.session;
    const auto since = session.IdleSince();
    if (!session.config().evictable || !since.has_value()) continue;
    idle.emplace_back(*since, entry);
    left.Leave(entry->second);
  }
  std::vector<std::shared_ptr<Session>> evicted;
  if (!CheckNeed(left, need).ok()) return evicted;
  std::sort(idle.begin(), idle.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [since, entry] : idle) {
    if (CheckNeed(need).ok()) break;
    // One without memory here gives a place among the sessions, no more.
    const bool helps =
        left.Counts(entry->second) || sessions_.size() + need.sessions > options_.max_sessions;
    if (helps) evicted.push_back(Remove(entry, CloseReason::kEvicted));
  }
  return evicted;
}

std::shared_ptr<Session> SessionTable::NextToSpill(const Need& need,
                                                   const std::set<std::string>& tried) const {
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<Session> best;
  absl::Time best_since = absl::InfiniteFuture();
  Occupancy left = OccupancyOf(*need.world);
  for (const auto& [id, entry] : sessions_) {
    const SessionConfig& config = entry.session->config();
    const auto since = entry.session->IdleSince();
    const bool spills = config.spillable && !tried.contains(id);
    if (!left.Counts(entry) || !since.has_value() || !(spills || config.evictable)) continue;
    left.MoveOut(entry);
    if (!spills || *since >= best_since) continue;
    best = entry.session;
    best_since = *since;
  }
  return CheckNeed(left, need).ok() ? best : nullptr;
}

bool SessionTable::MoveToHost(Session& session,
                              const std::map<const WorldState*, HostState>& copies,
                              uint64_t bytes) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = sessions_.find(session.id());
    if (found == sessions_.end() || !found->second.in_pool) return false;
    Entry& entry = found->second;
    if (host_bytes_ + bytes > options_.max_spill_bytes) return false;
    if (!session.MoveToHost(copies)) return false;
    entry.in_pool = false;
    entry.host_bytes = bytes;
    host_bytes_ += bytes;
    use_[session.world().get()].Remove(entry.room);
  }
  if (options_.on_moved) options_.on_moved(Moved::kToHost);
  return true;
}

absl::Status SessionTable::ReserveReturn(const Session& session) {
  std::vector<std::shared_ptr<Session>> evicted;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(session.id());
    if (entry == sessions_.end()) return MissingError(session.id());
    const Need need{.world = session.world().get(), .room = entry->second.room};
    evicted = EvictFor(need);
    RETURN_IF_ERROR(CheckNeed(need));
    entry->second.in_pool = true;
    use_[need.world].Add(need.room);
  }
  End(evicted, CloseReason::kEvicted);
  return absl::OkStatus();
}

void SessionTable::CancelReturn(const Session& session) {
  absl::MutexLock lock(&mutex_);
  const auto entry = sessions_.find(session.id());
  if (entry == sessions_.end()) return;
  entry->second.in_pool = false;
  use_[session.world().get()].Remove(entry->second.room);
}

absl::Status SessionTable::MoveToPool(Session& session,
                                      const std::map<const StateTensors*, StatePtr>& copies) {
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = sessions_.find(session.id());
    if (entry == sessions_.end()) return MissingError(session.id());
    if (!session.MoveToPool(copies)) return MissingError(session.id());
    host_bytes_ -= std::exchange(entry->second.host_bytes, 0);
  }
  if (options_.on_moved) options_.on_moved(Moved::kToPool);
  return absl::OkStatus();
}

}  // namespace gwm::server
