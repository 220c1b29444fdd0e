// The worlds that are served side by side: which there are, how they come, and how they go.
//
//   A version is named by the digest of its checkpoint. It is loaded beside the others, on a thread
//   of its own, and warmed up before anybody sees it; the default moves in one assignment; and one
//   that is unloaded goes when nobody holds a handle of it any more: sessions are pinned to theirs.
#ifndef GWM_SERVER_MODELS_MODEL_REGISTRY_H_
#define GWM_SERVER_MODELS_MODEL_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/models/model.h"
#include "server/models/serial_thread.h"
#include "server/models/warm_up.h"
#include "server/schedule/device_thread.h"
#include "server/session/session_table.h"

namespace gwm::server {

// Opens the world of a checkpoint's folder. Called on one thread at a time, beside the device
// thread.
using WorldOpener =
    std::function<absl::StatusOr<std::unique_ptr<World>>(const std::string& folder)>;

struct ModelRegistryOptions {
  std::string checkpoint_root;  // of all that Load may name; empty: Load is off
  uint32_t max_models = 4;      // served or being loaded
  WorldOpener open;
  DeviceThread* device = nullptr;  // these outlive the registry
  SessionTable* sessions = nullptr;
  const Clock* clock = nullptr;
  // Optional; called without locks, on any thread. A load ended: OK and how long it took, or why
  // not.
  std::function<void(const absl::Status&, const Model&)> on_load;
  // The models that are served have changed.
  std::function<void()> on_change;
};

struct LoadArgs {
  std::string checkpoint;       // relative to the root
  std::string expected_digest;  // empty: any
  bool set_default = false;
};

struct UnloadArgs {
  std::string checkpoint_digest;        // not empty
  bool drain = false;                   // else an error while sessions are pinned to it
  std::optional<absl::Duration> grace;  // after it, these sessions are ended; absent: never
};

// Thread-safe.
class ModelRegistry {
 public:
  using Done = std::function<void(absl::StatusOr<Model>)>;  // called once, on any thread

  explicit ModelRegistry(ModelRegistryOptions options);
  // Stop, and waits until every world is gone: no session and no work may hold a handle for long.
  ~ModelRegistry();

  // Opens the model that serving starts with, on the device thread; it becomes the default.
  absl::Status OpenFirst(const WorldFactory& factory, const std::string& checkpoint);

  // Requires that OpenFirst succeeded.
  WorldHandle Default() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The version of this digest; without a digest the default one if it is called model_id or that
  // is empty, else the one of this id that was loaded last. NotFound / UNKNOWN.
  absl::StatusOr<WorldHandle> Find(const std::string& model_id, const std::string& digest) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Model> Get(const std::string& model_id, const std::string& digest) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // In the order in which they were asked for; those that failed to load too, until they are tried
  // again.
  std::vector<Model> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Done with the model once it is ready to serve; at once for one that is loaded. Errors leave all
  // as it was: as ResolveCheckpoint; ResourceExhausted / QUOTA beyond max_models; BAD_CHECKPOINT
  // with the opener's code and message; FailedPrecondition / BAD_CHECKPOINT for another digest than
  // expected.
  void Load(const LoadArgs& args, Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Done at once, with a model that is draining, when it has to wait for sessions; else when it is
  // gone. FailedPrecondition / MODEL_IN_USE for the default one, and for one with sessions unless
  // `drain`. NotFound / UNKNOWN.
  void Unload(const UnloadArgs& args, Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  // For calls that name no model. FailedPrecondition / MODEL_DRAINING; as Find.
  absl::StatusOr<Model> SetDefault(const std::string& model_id, const std::string& digest)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs beside the loads, one after the other.
  void WarmUpLater(WorldHandle world, uint32_t rows,
                   std::function<void(absl::StatusOr<WarmUpTimes>)> done);

  // Lets go of draining models whose last session ended, and ends the sessions of those whose grace
  // has passed. Called regularly and whenever a session ended.
  void CollectDrained() ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers whoever waits with Unavailable / DRAINING; loads nothing and calls no hook on_change
  // any more. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Model model;
    WorldHandle world;           // null while loading, and once it is on its way out
    bool resident = false;       // its world is in memory
    std::optional<Model> going;  // on its way out; what those who wait for that are told
    std::vector<Done> waiting;   // for the end of loading, or for its going
  };
  using Entries = std::map<uint64_t, Entry>;  // by the order of their coming

  // What must not happen under the lock: a handle's last owner calls the device thread, and that
  // may call the registry.
  struct Aftermath {
    std::vector<WorldHandle> dropped;
    std::vector<Done> waiting;
    absl::StatusOr<Model> answer = Model();

    // Handles first: who is answered may look whether the memory is back.
    void Run();
  };

  // The entry of a load that may begin.
  absl::StatusOr<uint64_t> BeginLoad(const LoadArgs& args, const Done& done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LoadNow(uint64_t number, const LoadArgs& args, const std::string& folder);
  absl::StatusOr<WorldHandle> OpenAndWarmUp(uint64_t number, const LoadArgs& args,
                                            const std::string& folder);
  void Publish(uint64_t number, WorldHandle world, Model loaded, bool set_default)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Once the world is gone, if there was one.
  void Fail(uint64_t number, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetOldFailures() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A draining one is ready again.
  Model Revive(Entry& entry, bool set_default) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // OK: the entry drains now.
  absl::Status Drain(const UnloadArgs& args, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets go of a draining entry if no session is left. Whether it did.
  bool Leave(Entry& entry, Aftermath& after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  WorldHandle Adopt(uint64_t number, std::unique_ptr<World> world) ABSL_LOCKS_EXCLUDED(mutex_);
  // The entry's world is gone.
  void Gone(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  void Changed() ABSL_LOCKS_EXCLUDED(mutex_);
  static absl::Status NoSuchModel(const std::string& model_id, const std::string& digest);
  Entries::iterator Wanted(const std::string& model_id, const std::string& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::const_iterator Wanted(const std::string& model_id, const std::string& digest) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Model Describe(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ModelRegistryOptions options_;
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  WorldHandle default_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int worlds_ ABSL_GUARDED_BY(mutex_) = 0;  // adopted and not gone
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int hooks_running_ ABSL_GUARDED_BY(mutex_) = 0;
  SerialThread loader_;  // ends first
};

}  // namespace gwm::server

#endif  // GWM_SERVER_MODELS_MODEL_REGISTRY_H_
