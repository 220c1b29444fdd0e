#include "server/schedule/order.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace gwm::server {

void WorkOrder::Push(Ticket ticket) {
  const uint64_t id = ticket.id;
  if (ticket.owner != nullptr) owners_[ticket.owner].push_back(id);
  const WorkClass work_class = ticket.work_class;
  Entry& entry = entries_[id] = {.ticket = std::move(ticket), .effective = work_class};
  ++waiting_;
  StartAgeing(entry);
  if (IsFirstOfOwner(entry)) MakeReady(entry);
}

bool WorkOrder::IsFirstOfOwner(const Entry& entry) const {
  const void* owner = entry.ticket.owner;
  return owner == nullptr || owners_.at(owner).front() == entry.ticket.id;
}

void WorkOrder::MakeReady(const Entry& entry) {
  Class& work_class = ClassOf(entry.effective);
  Flow& flow = work_class.flows[entry.ticket.client];
  flow.ready.emplace(entry.ticket.deadline, entry.ticket.id);
  flow.census.Add(entry.ticket.group);
  work_class.census.Add(entry.ticket.group);
}

void WorkOrder::Withdraw(const Entry& entry) {
  Class& work_class = ClassOf(entry.effective);
  const auto flow = work_class.flows.find(entry.ticket.client);
  if (flow == work_class.flows.end()) return;
  if (flow->second.ready.erase({entry.ticket.deadline, entry.ticket.id}) == 0) return;
  flow->second.census.Remove(entry.ticket.group);
  work_class.census.Remove(entry.ticket.group);
}

const Ticket* WorkOrder::Next(const void* group) {
  Class& training = ClassOf(WorkClass::kTraining);
  Class* chosen = nullptr;
  if (training.census.Of(group) > 0 && training_credit_ > absl::ZeroDuration()) {
    chosen = &training;
  } else {
    for (Class& work_class : classes_) {
      if (work_class.census.Of(group) == 0) continue;
      chosen = &work_class;
      break;
    }
  }
  return chosen == nullptr ? nullptr : FirstOf(TurnOf(*chosen, group), group);
}

WorkOrder::Flow& WorkOrder::TurnOf(Class& work_class, const void* group) {
  Flow* flow = FindCredit(work_class, group);
  if (flow != nullptr) return *flow;
  GrantTurns(work_class, group);
  return *FindCredit(work_class, group);
}

WorkOrder::Flow* WorkOrder::FindCredit(Class& work_class, const void* group) {
  auto& flows = work_class.flows;
  const auto start = flows.lower_bound(work_class.cursor);
  const auto search = [&](auto begin, auto end) -> Flow* {
    for (auto it = begin; it != end; ++it) {
      if (it->second.census.Of(group) == 0 || it->second.deficit <= absl::ZeroDuration()) continue;
      work_class.cursor = it->first;
      return &it->second;
    }
    return nullptr;
  };
  Flow* found = search(start, flows.end());
  return found != nullptr ? found : search(flows.begin(), start);
}

void WorkOrder::GrantTurns(Class& work_class, const void* group) {
  // As many turns as it takes until somebody may go on.
  int64_t turns = std::numeric_limits<int64_t>::max();
  for (const auto& [client, flow] : work_class.flows) {
    if (flow.census.Of(group) == 0) continue;
    absl::Duration rest;
    turns = std::min(turns, absl::IDivDuration(-flow.deficit, options_.turn, &rest) + 1);
  }
  for (auto it = work_class.flows.begin(); it != work_class.flows.end();) {
    Flow& flow = it->second;
    flow.deficit += turns * options_.turn;
    // Who has nothing to do saves nothing, and is forgotten when nothing is owed.
    const bool settled = flow.ready.empty() && flow.deficit >= absl::ZeroDuration();
    it = settled ? work_class.flows.erase(it) : std::next(it);
  }
  // The round begins behind the one that had the last turn.
  const auto next = work_class.flows.upper_bound(work_class.cursor);
  work_class.cursor = next == work_class.flows.end() ? std::string() : next->first;
}

const Ticket* WorkOrder::FirstOf(const Flow& flow, const void* group) const {
  for (const auto& [deadline, id] : flow.ready) {
    const Ticket& ticket = entries_.at(id).ticket;
    if (group == nullptr || ticket.group == group) return &ticket;
  }
  return nullptr;
}

void WorkOrder::Start(uint64_t id) {
  Entry& entry = entries_.at(id);
  Withdraw(entry);
  entry.running = true;
  --waiting_;
}

void WorkOrder::Charge(uint64_t id, absl::Duration device_time) {
  const Entry& entry = entries_.at(id);
  ClassOf(entry.effective).flows[entry.ticket.client].deficit -= device_time;
  const bool training_waits = ClassOf(WorkClass::kTraining).census.all > 0;
  if (entry.ticket.work_class != WorkClass::kTraining) {
    training_credit_ += options_.training_share * device_time;
    // Nothing is saved up while there is nothing to train.
    if (!training_waits) training_credit_ = std::min(training_credit_, absl::ZeroDuration());
    return;
  }
  // What training takes while nobody else waits is held against nobody.
  const bool others_wait = std::any_of(classes_.begin(), classes_.end() - 1,
                                       [](const Class& c) { return c.census.all > 0; });
  training_credit_ -= (1 - options_.training_share) * device_time;
  if (!others_wait) training_credit_ = absl::ZeroDuration();
}

void WorkOrder::Return(uint64_t id) {
  Entry& entry = entries_.at(id);
  entry.running = false;
  entry.effective = entry.ticket.work_class;
  ++waiting_;
  StartAgeing(entry);
  MakeReady(entry);
}

void WorkOrder::Finish(uint64_t id) {
  const auto found = entries_.find(id);
  const Entry& entry = found->second;
  if (!entry.running) {
    Withdraw(entry);
    --waiting_;
  }
  const void* owner = entry.ticket.owner;
  entries_.erase(found);
  if (owner == nullptr) return;
  std::deque<uint64_t>& ids = owners_.at(owner);
  const bool was_first = ids.front() == id;
  ids.erase(std::find(ids.begin(), ids.end(), id));
  if (ids.empty()) {
    owners_.erase(owner);
  } else if (was_first) {
    MakeReady(entries_.at(ids.front()));
  }
}

void WorkOrder::StartAgeing(Entry& entry) {
  // Training has its share instead.
  if (options_.ageing_quanta == 0 || entry.effective == WorkClass::kInteractive ||
      entry.ticket.work_class == WorkClass::kTraining) {
    entry.rises_at = 0;
    return;
  }
  entry.rises_at = quantum_ + options_.ageing_quanta;
  rises_.emplace_back(entry.rises_at, entry.ticket.id);
}

void WorkOrder::EndQuantum() {
  ++quantum_;
  while (!rises_.empty() && rises_.front().first <= quantum_) {
    const auto [due, id] = rises_.front();
    rises_.pop_front();
    const auto entry = entries_.find(id);
    if (entry == entries_.end() || entry->second.running || entry->second.rises_at != due) continue;
    Rise(entry->second);
  }
}

void WorkOrder::Rise(Entry& entry) {
  const bool ready = IsFirstOfOwner(entry);
  if (ready) Withdraw(entry);
  entry.effective = static_cast<WorkClass>(static_cast<int>(entry.effective) - 1);
  StartAgeing(entry);
  if (ready) MakeReady(entry);
}

}  // namespace gwm::server
