// How models go: at once, or when their last session has ended.
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/models/model_registry.h"

namespace gwm::server {
namespace {

absl::Status InUse(const std::string& message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = std::string(kModelInUse), .field = "checkpoint_digest"});
}

}  // namespace

void ModelRegistry::Unload(const UnloadArgs& args, Done done) {
  Aftermath after;
  bool waits = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = Wanted("", args.checkpoint_digest);
    const absl::Status drains = entry == entries_.end() ? NoSuchModel("", args.checkpoint_digest)
                                                        : Drain(args, entry->second);
    if (!drains.ok()) {
      after.answer = drains;
    } else if (Leave(entry->second, after)) {
      waits = true;
      entry->second.waiting.push_back(done);
    } else {
      after.answer = Describe(entry->second);
    }
  }
  if (!waits) after.waiting.push_back(std::move(done));
  Changed();
  after.Run();
}

absl::Status ModelRegistry::Drain(const UnloadArgs& args, Entry& entry) {
  if (entry.world == default_) {
    return InUse("the version is the default; SetDefaultModel to another one first");
  }
  if (!options_.sessions->StopTaking(*entry.world, args.drain)) {
    return InUse(absl::StrCat(options_.sessions->counts_on(*entry.world).sessions,
                              " sessions are pinned to the version; with `drain` it goes when "
                              "they have ended"));
  }
  const absl::Time now = options_.clock->Now();
  if (entry.model.state != ModelState::kDraining) entry.model.changed_at = now;
  entry.model.state = ModelState::kDraining;
  entry.model.unload_at = now + args.grace.value_or(absl::InfiniteDuration());
  return absl::OkStatus();
}

bool ModelRegistry::Leave(Entry& entry, Aftermath& after) {
  if (options_.sessions->counts_on(*entry.world).sessions > 0) return false;
  after.dropped.push_back(std::exchange(entry.world, nullptr));
  entry.going = entry.model;
  entry.going->state = ModelState::kUnloaded;
  return true;
}

void ModelRegistry::CollectDrained() {
  std::vector<WorldHandle> overdue;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    const absl::Time now = options_.clock->Now();
    for (const auto& [number, entry] : entries_) {
      if (entry.world != nullptr && now >= entry.model.unload_at) overdue.push_back(entry.world);
    }
  }
  for (const WorldHandle& world : overdue) {
    options_.sessions->EndAll(*world, CloseReason::kModelUnloaded);
  }
  Aftermath after;
  after.dropped = std::move(overdue);
  bool any = false;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [number, entry] : entries_) {
      const bool drains = entry.world != nullptr && entry.model.state == ModelState::kDraining;
      any = (drains && Leave(entry, after)) || any;
    }
  }
  after.Run();
  if (any) Changed();
}

}  // namespace gwm::server
