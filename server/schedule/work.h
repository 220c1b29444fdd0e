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
#include "server/base/served_world.h"
#include "server/schedule/backlog.h"
#include "server/schedule/call_handle.h"

namespace gwm::server {

// What happened around the work; goes into StepTiming.
struct RunTiming {
  // So much before the present turn's end that the difference is what the work took of the device:
  // of work with a single turn, when that began.
  absl::Time started;
  uint32_t batch_rows = 0;     // the most that were computed together
  uint32_t sampler_calls = 0;  // denoiser calls of each row
};

// Either it is run, in one turn (SoloWork) or several (StepWork), or Refuse is called, once; when
// running throws, Refuse follows. All on the device thread, except for a Refuse out of Submit or
// Stop.
class Work {
 public:
  // `owner`: works of one owner (a session) keep their order; null: any order. Never dereferenced.
  // The call is shared with the RPC's reactor. `world`: what it runs on; null for an Errand alone.
  Work(std::shared_ptr<CallHandle> call, const void* owner, WorldHandle world, Demand demand)
      : call_(std::move(call)), owner_(owner), world_(std::move(world)), demand_(demand) {}
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // The work will not be done, and changed nothing.
  virtual void Refuse(const absl::Status& status) = 0;

  const CallHandle& call() const { return *call_; }
  LatencyLedger& latency() const { return call_->latency(); }
  const void* owner() const { return owner_; }
  const WorldHandle& world() const { return world_; }
  const Demand& demand() const { return demand_; }
  // Its world: denoiser calls of one can be computed together, and costs are those of one.
  const void* group() const { return world_.get(); }

 private:
  std::shared_ptr<CallHandle> call_;
  const void* owner_;
  WorldHandle world_;  // outlives the states that derived classes hold
  const Demand demand_;
};

// Work that has the device for itself.
class SoloWork : public Work {
 public:
  SoloWork(std::shared_ptr<CallHandle> call, const void* owner, WorldHandle world,
           Demand demand = {})
      : Work(std::move(call), owner, std::move(world), demand) {}
  virtual void Run(World& world, const RunTiming& timing) = 0;
  // What the device thread calls: Run on the work's own world.
  virtual void Start(const RunTiming& timing) { Run(this->world()->world(), timing); }
};

// What a StepWork asks for.
struct StepShape {
  int rows = 1;
  StepOptions sampler;  // resolved: neither field says "the default"
  int shown = 0;        // rows whose observations it wants
  int repeats = 1;      // how many such works in turn make one answer
};

// Work whose dynamics step is computed together with that of others on the same world, one denoiser
// call at a time: Begin, the calls, Complete.
class StepWork : public Work {
 public:
  StepWork(std::shared_ptr<CallHandle> call, const void* owner, WorldHandle world,
           const StepShape& shape)
      : Work(std::move(call), owner, std::move(world),
             {.stage = Stage::kStep,
              .rows = shape.rows,
              .calls = DenoiserCalls(shape.sampler.sampler, shape.sampler.sampler_calls),
              .shown = shape.shown,
              .repeats = shape.repeats}),
        sampler_(shape.sampler) {}

  const StepOptions& sampler() const { return sampler_; }

  // The rows to compute, at most as many as it asked for. An error is handed to Refuse.
  virtual absl::StatusOr<std::vector<StepRequest>> Begin() = 0;
  // After Begin: nothing is left to do, and Complete is not to be called.
  virtual bool answered() const { return false; }
  // One result for each row of Begin.
  virtual void Complete(World& world, std::span<StepRow> results, const RunTiming& timing) = 0;

 private:
  const StepOptions sampler_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_WORK_H_
