// What connects training to the rest of the server.
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/rpc/server.h"

namespace gwm::server {

TrainingHooks Server::HooksOfTraining() {
  return {.on_micro_batch =
              [this](TrainPart part, uint32_t rows, const TrainedMicroBatch& batch) {
                std::optional<double> loss;
                if (batch.updated && !batch.terms.empty()) loss = batch.terms.front().second;
                metrics_.training().MicroBatch(NameOf(part), rows, loss);
              },
          .on_checkpoint =
              [this](const std::string& kind, uint64_t bytes, absl::Duration time) {
                metrics_.training().Written(kind, bytes, time);
              },
          .on_event = [this](const std::string& message) { parts_.log->Info(message); },
          .on_trouble = [this](const std::string& message) { parts_.log->Warn(message); },
          .on_damaged_file = [this] { metrics_.training().DamagedFile(); }};
}

absl::Status Server::OpenTraining() {
  const ServerOptions& options = parts_.options;
  if (options.training_root.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(training_, TrainingRoom::Open({.root = options.training_root,
                                                  .checkpoint_root = options.checkpoint_root,
                                                  .first_checkpoint =
                                                      options.toy.empty() ? options.checkpoint : "",
                                                  .limits = deps_.limits,
                                                  .save_period = options.training_save_period,
                                                  .disk = MakeDisk(),
                                                  .device = device_.get(),
                                                  .models = models_.get(),
                                                  .share = &share_,
                                                  .clock = parts_.clock,
                                                  .random = parts_.random,
                                                  .open = parts_.open_trainer,
                                                  .hooks = HooksOfTraining()}));
  deps_.training = training_.get();
  training_->Resume();
  return absl::OkStatus();
}

void Server::NoteForTraining(const BatchReport& report) {
  // The server's own probes are nobody's wish.
  if (report.work_class == WorkClass::kTraining || report.stage == Stage::kProbe) return;
  share_.OthersRan(parts_.clock->Now(), report.busy);
}

}  // namespace gwm::server
