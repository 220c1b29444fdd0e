#include "server/models/model_registry.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {

void ModelRegistry::Aftermath::Run() {
  dropped.clear();
  for (const Done& done : waiting) done(answer);
}

ModelRegistry::ModelRegistry(ModelRegistryOptions options) : options_(std::move(options)) {}

ModelRegistry::~ModelRegistry() {
  Stop();
  Aftermath last;
  {
    absl::MutexLock lock(&mutex_);
    last.dropped.push_back(std::exchange(default_, nullptr));
    for (auto& [number, entry] : entries_) {
      last.dropped.push_back(std::exchange(entry.world, nullptr));
    }
  }
  last.Run();
  absl::MutexLock lock(&mutex_);
  const auto all_gone = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return worlds_ == 0; };
  mutex_.Await(absl::Condition(&all_gone));
}

WorldHandle ModelRegistry::Adopt(uint64_t number, std::unique_ptr<World> world) {
  {
    absl::MutexLock lock(&mutex_);
    ++worlds_;
    entries_[number].resident = true;
  }
  return options_.device->Adopt(std::move(world), [this, number] { Gone(number); });
}

void ModelRegistry::Gone(uint64_t number) {
  Aftermath after;
  {
    absl::MutexLock lock(&mutex_);
    Entry& entry = entries_.at(number);
    entry.resident = false;
    if (entry.going.has_value()) {
      after.answer = *entry.going;
      after.waiting = std::move(entry.waiting);
      entries_.erase(number);
    }
  }
  Changed();
  after.Run();
  absl::MutexLock lock(&mutex_);
  --worlds_;  // the last thing that is done: the registry may end now
}

void ModelRegistry::Changed() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || !options_.on_change) return;
    ++hooks_running_;
  }
  options_.on_change();
  absl::MutexLock lock(&mutex_);
  --hooks_running_;
}

WorldHandle ModelRegistry::Default() const {
  absl::MutexLock lock(&mutex_);
  return default_;
}

ModelRegistry::Entries::const_iterator ModelRegistry::Wanted(const std::string& model_id,
                                                             const std::string& digest) const {
  auto best = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const Model& model = entry->second.model;
    const bool named = (model_id.empty() || model.model_id == model_id) &&
                       (digest.empty() || model.checkpoint_digest == digest);
    if (entry->second.world == nullptr || !named) continue;
    if (!digest.empty() || entry->second.world == default_) return entry;
    // Draining ones have to be named by their digest.
    if (!model_id.empty() && model.state == ModelState::kReady) best = entry;
  }
  return best;
}

ModelRegistry::Entries::iterator ModelRegistry::Wanted(const std::string& model_id,
                                                       const std::string& digest) {
  const auto found = std::as_const(*this).Wanted(model_id, digest);
  return entries_.erase(found, found);  // the same place, for changes
}

absl::Status ModelRegistry::NoSuchModel(const std::string& model_id, const std::string& digest) {
  const bool by_digest = !digest.empty();
  return MakeError(
      absl::StatusCode::kNotFound,
      absl::StrCat(
          by_digest ? "checkpoint_digest: " : "model_id: ", Quoted(by_digest ? digest : model_id),
          " is not served", by_digest && !model_id.empty() ? " under this model_id" : "",
          "; ListModels tells what is"),
      {.reason = std::string(kUnknown), .field = by_digest ? "checkpoint_digest" : "model_id"});
}

absl::StatusOr<WorldHandle> ModelRegistry::Find(const std::string& model_id,
                                                const std::string& digest) const {
  absl::MutexLock lock(&mutex_);
  const auto entry = Wanted(model_id, digest);
  if (entry == entries_.end()) return NoSuchModel(model_id, digest);
  return entry->second.world;
}

absl::StatusOr<Model> ModelRegistry::Get(const std::string& model_id,
                                         const std::string& digest) const {
  absl::MutexLock lock(&mutex_);
  const auto entry = Wanted(model_id, digest);
  if (entry == entries_.end()) return NoSuchModel(model_id, digest);
  return Describe(entry->second);
}

Model ModelRegistry::Describe(const Entry& entry) const {
  Model model = entry.model;
  if (entry.world == nullptr) return model;
  model.is_default = entry.world == default_;
  const SessionTable::Counts counts = options_.sessions->counts_on(*entry.world);
  model.sessions = counts.sessions;
  model.state_bytes = counts.state_bytes;
  return model;
}

std::vector<Model> ModelRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Model> models;
  for (const auto& [number, entry] : entries_) models.push_back(Describe(entry));
  return models;
}

absl::StatusOr<Model> ModelRegistry::SetDefault(const std::string& model_id,
                                                const std::string& digest) {
  absl::StatusOr<Model> model = Model();
  WorldHandle before;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = Wanted(model_id, digest);
    if (entry == entries_.end()) return NoSuchModel(model_id, digest);
    if (entry->second.model.state == ModelState::kDraining) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       "the model is being unloaded; load it again first",
                       {.reason = std::string(kModelDraining), .field = "checkpoint_digest"});
    }
    before = std::exchange(default_, entry->second.world);
    model = Describe(entry->second);
  }
  Changed();
  return model;
}

void ModelRegistry::WarmUpLater(WorldHandle world, uint32_t rows,
                                std::function<void(absl::StatusOr<WarmUpTimes>)> done) {
  loader_.Do([this, world = std::move(world), rows, done = std::move(done)]() mutable {
    auto times = WarmUp(*options_.device, world, rows, *options_.clock);
    world = nullptr;
    done(std::move(times));
  });
}

void ModelRegistry::Stop() {
  Aftermath after{.dropped = {}, .waiting = {}, .answer = DrainingError()};
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    const auto quiet = [this]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return hooks_running_ == 0; };
    mutex_.Await(absl::Condition(&quiet));
    for (auto& [number, entry] : entries_) {
      std::move(entry.waiting.begin(), entry.waiting.end(), std::back_inserter(after.waiting));
      entry.waiting.clear();
    }
  }
  after.Run();
}

}  // namespace gwm::server
