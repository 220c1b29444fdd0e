#include "server/schedule/backlog.h"

#include <algorithm>

namespace gwm::server {

absl::Duration LoadOf(const Demand& demand, const CostTable& costs, const BatchLimits& limits) {
  const auto cost = [&costs](Stage stage, int rows) {
    return rows > 0 ? costs.Predict(stage, rows).value_or(absl::ZeroDuration())
                    : absl::ZeroDuration();
  };
  absl::Duration load = cost(Stage::kShow, demand.shown);
  if (demand.stage != Stage::kStep) return load + cost(demand.stage, demand.rows);
  return load + demand.rows * demand.calls * TimePerRow(costs, limits);
}

void Backlog::Add(WorkClass work_class, const std::string& client, absl::Duration load) {
  ClassLoad& all = classes_[static_cast<size_t>(work_class)];
  ClientLoad& own = all.clients[client];
  own.load += load;
  all.load += load;
  ++own.works;
  ++all.works;
}

void Backlog::Remove(WorkClass work_class, const std::string& client, absl::Duration load,
                     bool last) {
  ClassLoad& all = classes_[static_cast<size_t>(work_class)];
  const auto own = all.clients.find(client);
  own->second.load -= load;
  all.load -= load;
  if (!last) return;
  --all.works;
  if (--own->second.works == 0) all.clients.erase(own);
}

absl::Duration Backlog::UpTo(WorkClass work_class) const {
  absl::Duration sum;
  for (int c = 0; c <= static_cast<int>(work_class); ++c) {
    sum += classes_[static_cast<size_t>(c)].load;
  }
  return sum;
}

absl::Duration Backlog::Ahead(WorkClass work_class, const std::string& client,
                              absl::Duration own) const {
  const ClassLoad& mates = ClassOf(work_class);
  const auto mine = mates.clients.find(client);
  const absl::Duration before =
      mine == mates.clients.end() ? absl::ZeroDuration() : mine->second.load;
  // The device is shared evenly, so another client gets no more done meanwhile than this one.
  const absl::Duration turn = before + own + turn_;
  absl::Duration ahead = before + UpTo(work_class) - mates.load;
  for (const auto& [name, one] : mates.clients) {
    if (name != client) ahead += std::min(one.load, turn);
  }
  return ahead;
}

absl::Duration Backlog::FairFinish(WorkClass work_class, const std::string& client,
                                   absl::Duration own) const {
  const ClassLoad& mates = ClassOf(work_class);
  const auto mine = mates.clients.find(client);
  const bool waits = mine != mates.clients.end();
  const absl::Duration its = own + (waits ? mine->second.load : absl::ZeroDuration());
  const size_t clients = mates.clients.size() + (waits ? 0 : 1);
  return UpTo(work_class) - mates.load + its * static_cast<double>(clients);
}

}  // namespace gwm::server
