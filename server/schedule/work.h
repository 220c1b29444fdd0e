// A piece of work for the device thread.
#ifndef GWM_SERVER_SCHEDULE_WORK_H_
#define GWM_SERVER_SCHEDULE_WORK_H_

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/api/world.h"
#include "server/schedule/call_handle.h"

namespace gwm::server {

// What happened around the work; goes into StepTiming.
struct RunTiming {
  absl::Duration queue;  // from Submit to the start
  absl::Time started;    // on the device thread
  uint32_t batch_rows = 0;
  uint32_t sampler_calls = 0;
};

// Exactly one of Run and Refuse is called, once, unless Run throws: then Refuse follows it. Both on
// the device thread, except for a Refuse out of Submit.
class Work {
 public:
  // `owner`: works of one owner (a session) keep their order; null: any order. Never dereferenced.
  // The call is shared with the RPC's reactor.
  Work(std::shared_ptr<CallHandle> call, const void* owner)
      : call_(std::move(call)), owner_(owner) {}
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  virtual void Run(World& world, const RunTiming& timing) = 0;
  // The work will not be done, and changed nothing.
  virtual void Refuse(const absl::Status& status) = 0;

  const CallHandle& call() const { return *call_; }
  const void* owner() const { return owner_; }

 private:
  std::shared_ptr<CallHandle> call_;
  const void* owner_;
};

// Work whose dynamics step can be computed together with that of others: Begin, one World::Step for
// all, Complete.
class StepWork : public Work {
 public:
  StepWork(std::shared_ptr<CallHandle> call, const void* owner, int rows, int sampler_calls)
      : Work(std::move(call), owner), rows_(rows), sampler_calls_(sampler_calls) {}

  int rows() const { return rows_; }
  int sampler_calls() const { return sampler_calls_; }

  // The rows to compute, at most `rows()` of them. An error is handed to Refuse. Called again when
  // a batch that did not fit into memory is tried in smaller parts.
  virtual absl::StatusOr<std::vector<StepRequest>> Begin() = 0;
  // After Begin: nothing is left to do, and Complete is not to be called.
  virtual bool answered() const { return false; }
  // One result for each row of Begin.
  virtual void Complete(World& world, std::span<StepRow> results, const RunTiming& timing) = 0;

  void Run(World& world, const RunTiming& timing) final;

 private:
  const int rows_;
  const int sampler_calls_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_WORK_H_
