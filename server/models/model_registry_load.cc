// How models come: opened beside the device thread, warmed up on it, and only then seen.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/models/checkpoint_path.h"
#include "server/models/model_registry.h"

namespace gwm::server {
namespace {

constexpr uint32_t kWarmUpRows = 1;
constexpr std::ptrdiff_t kMaxFailures = 16;  // that are remembered

// An opener's error in the words of the protocol. Lack of memory and bugs keep their own reasons.
absl::Status BadCheckpoint(const absl::Status& status) {
  if (absl::IsResourceExhausted(status) || absl::IsInternal(status) ||
      !DetailsOf(status).reason.empty()) {
    return status;
  }
  const absl::string_view message = status.message();
  return MakeError(status.code(), {message.data(), message.size()},
                   {.reason = std::string(kBadCheckpoint), .field = "checkpoint"});
}

Model ModelOf(const WorldSpec& spec, const std::string& checkpoint, const std::string& folder) {
  Model model;
  model.model_id = spec.model_id;
  model.checkpoint_digest = spec.checkpoint_digest;
  model.checkpoint = checkpoint;
  model.device = spec.device;
  model.state = ModelState::kReady;
  model.state_pool_bytes = static_cast<uint64_t>(spec.pool_states * spec.state_bytes);
  model.checkpoint_bytes = FolderBytes(folder);
  return model;
}

absl::StatusOr<std::unique_ptr<World>> OpenGuarded(const WorldOpener& open,
                                                   const std::string& folder) {
  try {
    return open(folder);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace

absl::Status ModelRegistry::OpenFirst(const WorldFactory& factory, const std::string& checkpoint) {
  const absl::Time start = options_.clock->Now();
  ASSIGN_OR_RETURN(auto world, options_.device->Open(factory));
  // Clients learn the last part of its path alone.
  const std::filesystem::path path(checkpoint);
  Model model = ModelOf(world->spec(), (path / "").parent_path().filename(), checkpoint);
  model.load_time = options_.clock->Now() - start;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = next_number_++;
  }
  WorldHandle handle = Adopt(number, std::move(world));
  RETURN_IF_ERROR(options_.device->Profile(handle));
  Publish(number, std::move(handle), std::move(model), /*set_default=*/true);
  return absl::OkStatus();
}

void ModelRegistry::Load(const LoadArgs& args, Done done) {
  const auto folder = ResolveCheckpoint(options_.checkpoint_root, args.checkpoint);
  if (!folder.ok()) return done(folder.status());
  absl::StatusOr<Model> present = absl::NotFoundError("");
  absl::StatusOr<uint64_t> number = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry =
        args.expected_digest.empty() ? entries_.end() : Wanted("", args.expected_digest);
    if (entry != entries_.end() && !stopped_) {
      present = Revive(entry->second, args.set_default);
    } else {
      number = BeginLoad(args, done);
    }
  }
  if (present.ok()) {
    Changed();
    return done(std::move(present));
  }
  if (!number.ok()) return done(number.status());
  loader_.Do([this, args, folder = *folder, number = *number] { LoadNow(number, args, folder); });
}

absl::StatusOr<uint64_t> ModelRegistry::BeginLoad(const LoadArgs& args, const Done& done) {
  if (stopped_) return DrainingError();
  std::erase_if(entries_, [&](const auto& item) {
    const Model& model = item.second.model;
    return model.state == ModelState::kFailed && model.checkpoint == args.checkpoint;
  });
  const auto present = std::count_if(entries_.begin(), entries_.end(), [](const auto& item) {
    return item.second.model.state != ModelState::kFailed;
  });
  if (static_cast<uint64_t>(present) >= options_.max_models) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat(present, " models are there; max_models = ", options_.max_models,
                                  " are allowed: unload one first"),
                     {.reason = std::string(kQuota)});
  }
  const uint64_t number = next_number_++;
  Entry& entry = entries_[number];
  entry.model.checkpoint = args.checkpoint;
  entry.model.changed_at = options_.clock->Now();
  entry.waiting.push_back(done);
  return number;
}

void ModelRegistry::LoadNow(uint64_t number, const LoadArgs& args, const std::string& folder) {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;  // whoever waited was told
  }
  const absl::Time start = options_.clock->Now();
  auto world = OpenAndWarmUp(number, args, folder);
  if (!world.ok()) {
    Fail(number, WithoutPath(BadCheckpoint(world.status()), folder, args.checkpoint));
    return;
  }
  Model model = ModelOf((*world)->spec(), args.checkpoint, folder);
  model.load_time = options_.clock->Now() - start;
  Publish(number, *std::move(world), std::move(model), args.set_default);
}

absl::StatusOr<WorldHandle> ModelRegistry::OpenAndWarmUp(uint64_t number, const LoadArgs& args,
                                                         const std::string& folder) {
  ASSIGN_OR_RETURN(auto world, OpenGuarded(options_.open, folder));
  const std::string digest = world->spec().checkpoint_digest;
  if (!args.expected_digest.empty() && args.expected_digest != digest) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("expected_digest: ", Quoted(args.expected_digest),
                                  "; the checkpoint's is ", Quoted(digest)),
                     {.reason = std::string(kBadCheckpoint), .field = "expected_digest"});
  }
  WorldHandle handle = Adopt(number, std::move(world));
  RETURN_IF_ERROR(
      gwm::server::WarmUp(*options_.device, handle, kWarmUpRows, *options_.clock).status());
  return handle;
}

void ModelRegistry::Publish(uint64_t number, WorldHandle world, Model loaded, bool set_default) {
  Aftermath after;
  loaded.changed_at = options_.clock->Now();
  {
    absl::MutexLock lock(&mutex_);
    Entry& entry = entries_[number];
    entry.model = loaded;
    const auto twin = Wanted("", loaded.checkpoint_digest);
    if (stopped_) {
      entry.going = loaded;
      after.dropped.push_back(std::move(world));
    } else if (twin != entries_.end()) {
      // The same version was there already, under another path: one of them is enough.
      entry.going = Revive(twin->second, set_default);
      entry.model.state = ModelState::kDraining;
      after.dropped.push_back(std::move(world));
    } else {
      entry.world = std::move(world);
      if (set_default) default_ = entry.world;
      after.answer = Describe(entry);
      after.waiting = std::move(entry.waiting);
    }
  }
  if (options_.on_load) options_.on_load(absl::OkStatus(), loaded);
  Changed();
  after.Run();
}

Model ModelRegistry::Revive(Entry& entry, bool set_default) {
  entry.world->TakeSessions(true);
  if (entry.model.state == ModelState::kDraining) entry.model.changed_at = options_.clock->Now();
  entry.model.state = ModelState::kReady;
  entry.model.unload_at = absl::InfiniteFuture();
  if (set_default) default_ = entry.world;
  return Describe(entry);
}

void ModelRegistry::Fail(uint64_t number, const absl::Status& status) {
  Aftermath after{.dropped = {}, .waiting = {}, .answer = status};
  Model failed;
  {
    absl::MutexLock lock(&mutex_);
    Entry& entry = entries_.at(number);
    const auto gone = [&entry] { return !entry.resident; };
    mutex_.Await(absl::Condition(&gone));
    entry.model.state = ModelState::kFailed;
    entry.model.error = absl::IsInternal(status) ? "internal error; the server's log says more"
                                                 : std::string(status.message());
    entry.model.changed_at = options_.clock->Now();
    failed = entry.model;
    after.waiting = std::move(entry.waiting);
    ForgetOldFailures();
  }
  if (options_.on_load) options_.on_load(status, failed);
  Changed();
  after.Run();
}

void ModelRegistry::ForgetOldFailures() {
  const auto failed = [](const auto& item) {
    return item.second.model.state == ModelState::kFailed;
  };
  while (std::count_if(entries_.begin(), entries_.end(), failed) > kMaxFailures) {
    entries_.erase(std::find_if(entries_.begin(), entries_.end(), failed));
  }
}

}  // namespace gwm::server
