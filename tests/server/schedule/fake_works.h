// Works without an RPC behind them.
#ifndef GWM_TESTS_SERVER_SCHEDULE_FAKE_WORKS_H_
#define GWM_TESTS_SERVER_SCHEDULE_FAKE_WORKS_H_

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "server/schedule/work.h"

namespace gwm::server {

struct CallOptions {
  WorkClass work_class = WorkClass::kInteractive;
  std::string client = "";
  absl::Time deadline = absl::InfiniteFuture();
};

inline std::shared_ptr<CallHandle> MakeCall(const CallOptions& options) {
  return std::make_shared<CallHandle>(options.deadline, options.work_class, options.client);
}

// A world that is told apart from others and never used.
inline constexpr char kNameless = 0;
inline WorldHandle Nameless(const void* which = &kNameless) {
  return {std::shared_ptr<void>(), static_cast<const ServedWorld*>(which)};
}

struct Named {
  explicit Named(int name) : name(name) {}
  virtual ~Named() = default;
  const int name;
};

// A row that knows how many calls it needs and nothing else.
class CountedRow : public StepInProgress {
 public:
  explicit CountedRow(int calls) : calls_(calls) {}
  int calls_left() const override { return calls_; }
  StepRow TakeResult() override { return {}; }

 private:
  int calls_;
};

class NamedStep : public StepWork, public Named {
 public:
  NamedStep(int name, const void* owner, int rows = 1, const CallOptions& call = {}, int calls = 1,
            WorldHandle world = Nameless())
      : StepWork(
            MakeCall(call), owner, std::move(world),
            {.rows = rows, .sampler = {.sampler_calls = calls, .sampler = SamplerKind::kEuler}}),
        Named(name) {}
  absl::StatusOr<std::vector<StepRequest>> Begin() override { return std::vector<StepRequest>(); }
  void Complete(World&, std::span<StepRow>, const RunTiming&) override {}
  void Refuse(const absl::Status&) override {}
};

class NamedSolo : public SoloWork, public Named {
 public:
  NamedSolo(int name, const void* owner, const CallOptions& call = {})
      : NamedSolo(name, owner, MakeCall(call)) {}
  void Run(World&, const RunTiming&) override {}
  void Refuse(const absl::Status&) override {}

  const std::shared_ptr<CallHandle> handle;

 private:
  NamedSolo(int name, const void* owner, const std::shared_ptr<CallHandle>& call)
      : SoloWork(call, owner, Nameless()), Named(name), handle(call) {}
};

// Steps `rows` rows from `start`, and tells how it went.
class LoggedStep : public StepWork {
 public:
  struct Outcome {
    absl::Status status = absl::UnknownError("not answered");
    std::vector<absl::Status> rows;
    std::vector<StatePtr> next;
    RunTiming timing;
    int answers = 0;
  };
  struct Args {
    int rows = 1;
    int calls = 1;
    std::vector<float> action = {0.25F, 0.25F};
    std::vector<float> first_action = {};  // of row 0; empty: as the others
    bool throw_in_complete = false;
    const void* owner = nullptr;
    std::function<void(const Outcome&)> on_answer = nullptr;
  };

  LoggedStep(std::shared_ptr<CallHandle> call, WorldHandle world, StatePtr start, Args args,
             Outcome* outcome)
      : StepWork(std::move(call), args.owner, std::move(world),
                 {.rows = args.rows,
                  .sampler = {.sampler_calls = args.calls, .sampler = SamplerKind::kEuler}}),
        start_(std::move(start)),
        args_(std::move(args)),
        outcome_(outcome) {}

  absl::StatusOr<std::vector<StepRequest>> Begin() override {
    std::vector<StepRequest> rows;
    for (int row = 0; row < args_.rows; ++row) {
      const bool first = row == 0 && !args_.first_action.empty();
      rows.push_back({.state = start_,
                      .action = first ? args_.first_action : args_.action,
                      .noise = {.env = static_cast<uint32_t>(row)}});
    }
    return rows;
  }
  void Complete(World&, std::span<StepRow> results, const RunTiming& timing) override {
    if (args_.throw_in_complete) throw std::runtime_error("thrown while completing");
    for (StepRow& row : results) {
      outcome_->rows.push_back(row.status);
      outcome_->next.push_back(std::move(row.next));
    }
    outcome_->timing = timing;
    Answer(absl::OkStatus());
  }
  void Refuse(const absl::Status& status) override { Answer(status); }

 private:
  void Answer(const absl::Status& status) {
    ++outcome_->answers;
    outcome_->status = status;
    if (args_.on_answer) args_.on_answer(*outcome_);
  }

  const StatePtr start_;
  const Args args_;
  Outcome* const outcome_;  // outlives the work
};

}  // namespace gwm::server

#endif  // GWM_TESTS_SERVER_SCHEDULE_FAKE_WORKS_H_
