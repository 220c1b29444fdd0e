// Which piece of work is next. Plain data: no threads, no clock, no works.
//
// Class by class, the most urgent first; inside a class the clients take turns by the device time
// that they used (deficit round robin); inside a client the earliest deadline goes first. Three
// things bend this: works of one owner keep their order; work that waits for long rises by a class
// (ageing); training gets a share of the device while it waits, whatever else does.
//
//   order.Push(ticket);
//   while (auto next = order.Next()) {
//     order.Start(next->id);
//     ... run it ...
//     order.Charge(next->id, device_time);
//     order.Finish(next->id);  // or Return: it has more to do
//     order.EndQuantum();
//   }
#ifndef GWM_SERVER_SCHEDULE_ORDER_H_
#define GWM_SERVER_SCHEDULE_ORDER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/time/time.h"
#include "server/schedule/work_class.h"

namespace gwm::server {

struct OrderOptions {
  uint32_t ageing_quanta = 10;  // that work waits before its class rises; 0: never
  double training_share = 0.1;  // of the device while training waits, 0..1
  // Device time of one turn of a client; small, so that a round of many clients is short.
  absl::Duration turn = absl::Microseconds(50);
};

// A piece of work as the order sees it.
struct Ticket {
  uint64_t id = 0;  // greater than that of every earlier one
  WorkClass work_class = WorkClass::kInteractive;
  std::string client;
  const void* owner = nullptr;  // works of one owner keep their order; null: any order
  absl::Time deadline;
  // Tickets of one group can share a quantum; null: this one cannot. Never dereferenced.
  const void* group = nullptr;
};

// Thread-compatible. A ticket is waiting after Push and Return, running after Start.
class WorkOrder {
 public:
  explicit WorkOrder(OrderOptions options) : options_(options) {}

  void Push(Ticket ticket);
  // The next of those that wait and whose owner has nothing before them; null: there is none. Of
  // `group` alone unless that is null. Valid until the next change.
  const Ticket* Next(const void* group = nullptr);
  void Start(uint64_t id);
  // Device time, to be paid by the running ticket's client; negative takes some back.
  void Charge(uint64_t id, absl::Duration device_time);
  // The running ticket waits again, where it was, as if it were new to its class.
  void Return(uint64_t id);
  // The ticket, running or waiting, is no more.
  void Finish(uint64_t id);
  // Everything that waits is a quantum older.
  void EndQuantum();

  // Of the device while training waits, 0..1.
  void SetTrainingShare(double share) { options_.training_share = share; }

  size_t waiting() const { return waiting_; }
  bool empty() const { return entries_.empty(); }
  // The class that a ticket competes in: its own, or a higher one by age.
  WorkClass EffectiveClass(uint64_t id) const { return entries_.at(id).effective; }

 private:
  // By deadline, then by age.
  using Place = std::pair<absl::Time, uint64_t>;
  struct Entry {
    Ticket ticket;
    WorkClass effective;
    bool running = false;
    uint64_t rises_at = 0;  // quantum
  };
  // How many are ready, and of those how many of each group.
  struct Census {
    size_t all = 0;
    std::map<const void*, size_t> groups;

    void Add(const void* group) {
      ++all;
      if (group != nullptr) ++groups[group];
    }
    void Remove(const void* group) {
      --all;
      const auto found = groups.find(group);
      if (found != groups.end() && --found->second == 0) groups.erase(found);
    }
    size_t Of(const void* group) const {
      if (group == nullptr) return all;
      const auto found = groups.find(group);
      return found == groups.end() ? 0 : found->second;
    }
  };
  // What one client has in one class.
  struct Flow {
    std::set<Place> ready;
    Census census;
    // Device time that it may still use in this round; below 0: it used more than its turns. Kept
    // after the last work is done, so that coming back does not wipe out what was used.
    absl::Duration deficit;
  };
  struct Class {
    std::map<std::string, Flow> flows;
    std::string cursor;  // whose turn it is
    Census census;
  };

  Class& ClassOf(WorkClass c) { return classes_[static_cast<size_t>(c)]; }
  bool IsFirstOfOwner(const Entry& entry) const;
  // Puts the entry into its flow, or takes it out.
  void MakeReady(const Entry& entry);
  void Withdraw(const Entry& entry);
  void StartAgeing(Entry& entry);
  void Rise(Entry& entry);
  // The flow of the class whose turn it is.
  Flow& TurnOf(Class& work_class, const void* group);
  static Flow* FindCredit(Class& work_class, const void* group);
  void GrantTurns(Class& work_class, const void* group);
  const Ticket* FirstOf(const Flow& flow, const void* group) const;

  OrderOptions options_;
  std::unordered_map<uint64_t, Entry> entries_;
  std::unordered_map<const void*, std::deque<uint64_t>> owners_;  // ids in their order
  std::array<Class, kWorkClasses> classes_;
  std::deque<std::pair<uint64_t, uint64_t>> rises_;  // {quantum, id}, some out of date
  uint64_t quantum_ = 0;
  size_t waiting_ = 0;
  // Device time that training is owed.
  absl::Duration training_credit_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_ORDER_H_
