#include "engine/train/random.h"
#include "engine/train/stages.h"
#include "engine/train/update_loss.h"

namespace gwm {
namespace {

// Errors below this share of the variance are all the same: rounding of the latents.
constexpr double kLeastError = 1e-4;

struct ErrorBatch {
  torch::Tensor reset, before, after;  // [B, M, L] standardised
  torch::Tensor error;                 // [B, M] share of the latents' variance
  torch::Tensor centres;               // [B, M, 3]
  torch::Tensor age;                   // [B]
};

ErrorBatch DrawBatch(const WorldModel& model, const std::vector<ImaginedSequence>& sequences,
                     int64_t batch, torch::Generator& g) {
  std::vector<torch::Tensor> reset, before, after, real, centres;
  std::vector<float> age;
  for (int64_t b = 0; b < batch; ++b) {
    const auto& s =
        sequences[static_cast<size_t>(DrawInt(0, static_cast<int64_t>(sequences.size()), g))];
    const int64_t h = DrawInt(1, s.imagined.frames(), g);
    reset.push_back(s.imagined.latents[0]);
    before.push_back(s.imagined.latents[h - 1]);
    after.push_back(s.imagined.latents[h]);
    real.push_back(s.real[h]);
    centres.push_back(s.imagined.centres[0]);
    age.push_back(static_cast<float>(h));
  }
  const auto device = model.device();
  const auto standard = [&](const std::vector<torch::Tensor>& x) {
    return model.Standardise(torch::stack(x).to(device));
  };
  ErrorBatch out{standard(reset), standard(before), standard(after), {}, {}, {}};
  const double sigma = model.config.diffusion.sigma_data;
  out.error = ((out.after - standard(real)) / sigma).square().mean(-1) + kLeastError;
  out.centres = torch::stack(centres).to(device);
  out.age = torch::tensor(age).to(device);
  return out;
}

// Half the deviance of the exponential law: 0 where all errors are as expected, least where
// `expected` is their mean, whatever its size.
torch::Tensor Deviance(const torch::Tensor& error, const torch::Tensor& log_expected) {
  return (error * torch::exp(-log_expected) - (error.log() - log_expected) - 1.0).mean();
}

}  // namespace

// Of every token, and of the state as a whole.
LossTerms ErrorLoss(WorldModel& model, const std::vector<ImaginedSequence>& imagined, int64_t rows,
                    torch::Generator& g) {
  const ErrorBatch x = DrawBatch(model, imagined, rows, g);
  const auto log_expected = model.error->forward(x.reset, x.before, x.after, x.centres, x.age);
  const auto tokens = Deviance(x.error, log_expected);
  const auto whole = Deviance(x.error.mean(-1), torch::logsumexp(log_expected, -1) -
                                                    std::log(static_cast<double>(x.error.size(1))));
  return {{"loss", tokens + whole}, {"tokens", tokens}, {"whole", whole}};
}

absl::Status TrainError(WorldModel& model, LazyImagination& imagination,
                        const TrainOptions& options, const StagePaths& paths) {
  if (!model.error) {
    return absl::FailedPreconditionError(
        "training: the model has no error head; set error_head.width in its config");
  }
  auto run = RunOf("error", options.error, options, paths);
  run.prepare = [&] { imagination.Make(); };
  run.loss = [&](int64_t, torch::Generator& g) {
    return ErrorLoss(model, imagination.Get(), options.error.batch / options.error.shards, g);
  };
  return RunStage(*model.error, run);
}

}  // namespace gwm
