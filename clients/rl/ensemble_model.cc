#include "clients/rl/ensemble_model.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "clients/rl/checks.h"

namespace gwm::rl {
namespace {

constexpr char kFormat[] = "gwm-ensemble-1";
constexpr int64_t kHiddenLayers = 4;
// L2 weight of each layer, input to output.
const std::vector<double> kDecays = {2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4};

absl::Status CheckOptions(const EnsembleOptions& o) {
  const auto refuse = [](const char* what) { return absl::InvalidArgumentError(what); };
  if (o.observation_dim < 1) return refuse("observation_dim must be positive");
  if (o.action_dim < 1) return refuse("action_dim must be positive");
  if (o.networks < 1) return refuse("networks must be positive");
  if (o.elites < 1 || o.elites > o.networks) return refuse("elites must be in 1..networks");
  if (o.hidden_width < 1) return refuse("hidden_width must be positive");
  if (!(o.learning_rate > 0)) return refuse("learning_rate must be positive");
  if (o.batch_rows < 1) return refuse("batch_rows must be positive");
  if (!(o.holdout_share > 0 && o.holdout_share < 1))
    return refuse("holdout_share is not in (0, 1)");
  if (o.most_holdout_rows < 1) return refuse("most_holdout_rows must be positive");
  if (o.patience_epochs < 0 || o.most_epochs < 0) return refuse("epochs must not be negative");
  if (!(o.least_improvement > 0)) return refuse("least_improvement must be positive");
  return absl::OkStatus();
}

std::vector<int64_t> Widths(const EnsembleOptions& options) {
  std::vector<int64_t> widths = {options.observation_dim + options.action_dim};
  widths.insert(widths.end(), kHiddenLayers, options.hidden_width);
  widths.push_back(1 + options.observation_dim);
  return widths;
}

// Each network's weights at its best epoch, by which a fit is judged.
class BestWeights {
 public:
  BestWeights(EnsembleNetwork network, int64_t networks)
      : network_(std::move(network)), errors_(networks, std::numeric_limits<double>::infinity()) {
    for (const torch::Tensor& parameter : network_->parameters()) {
      kept_.push_back(parameter.detach().clone());
    }
  }

  // Keeps what improved by more than that share. Did anything?
  bool Keep(const torch::Tensor& errors, double least_improvement) {
    bool improved = false;
    for (size_t i = 0; i < errors_.size(); ++i) {
      const double error = errors[static_cast<int64_t>(i)].item<double>();
      if (!(error < errors_[i] * (1 - least_improvement))) continue;
      errors_[i] = error;
      improved = true;
      Copy(network_->parameters(), kept_, static_cast<int64_t>(i));
    }
    return improved;
  }

  void Restore() {
    for (size_t i = 0; i < errors_.size(); ++i) {
      Copy(kept_, network_->parameters(), static_cast<int64_t>(i));
    }
  }

 private:
  // Parameters that belong to a single network are [E, ...]; the two bounds belong to all of them.
  static void Copy(const std::vector<torch::Tensor>& from, const std::vector<torch::Tensor>& to,
                   int64_t network) {
    torch::NoGradGuard no_grad;
    for (size_t i = 0; i < from.size(); ++i) {
      if (from[i].dim() == 3) to[i].select(0, network).copy_(from[i].select(0, network));
    }
  }

  EnsembleNetwork network_;
  std::vector<double> errors_;
  std::vector<torch::Tensor> kept_;
};

}  // namespace

struct EnsembleModel::Split {
  torch::Tensor inputs, targets;                  // [N, D + A], [N, 1 + D]
  torch::Tensor holdout_inputs, holdout_targets;  // the same, other rows
  torch::Tensor rows;                             // [E, N] i64: each network's own sample
};

absl::StatusOr<std::unique_ptr<EnsembleModel>> EnsembleModel::Create(
    const EnsembleOptions& options) {
  const absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  return WithoutThrowing("EnsembleModel::Create",
                         [&]() -> absl::StatusOr<std::unique_ptr<EnsembleModel>> {
                           return std::unique_ptr<EnsembleModel>(new EnsembleModel(options));
                         });
}

EnsembleModel::EnsembleModel(const EnsembleOptions& options)
    : options_(options),
      random_(options.seed),
      network_(options.networks, Widths(options), kDecays, random_),
      input_mean_(torch::zeros({options.observation_dim + options.action_dim})),
      input_std_(torch::ones({options.observation_dim + options.action_dim})),
      elites_(torch::arange(options.elites, torch::kInt64)),
      adam_(MakeAdam(network_->parameters(), options.learning_rate)) {
  state_.AddModule("network", *network_);
  state_.AddTensor("input_mean", input_mean_);
  state_.AddTensor("input_std", input_std_);
  state_.AddTensor("elites", elites_);
  state_.AddAdam("adam", *adam_);
  state_.AddCounter("fits", &fits_);
}

EnsembleModel::Split EnsembleModel::MakeSplit(const Batch& transitions) const {
  const int64_t rows = transitions.size();
  const int64_t holdout =
      std::min(static_cast<int64_t>(static_cast<double>(rows) * options_.holdout_share),
               options_.most_holdout_rows);
  const torch::Tensor order = random_.Permutation(RandomStream::kEnsembleSplit, fits_, rows);
  const torch::Tensor inputs = torch::cat({transitions.observation, transitions.action}, -1);
  const torch::Tensor targets = torch::cat(
      {transitions.reward.unsqueeze(1), transitions.next_observation - transitions.observation},
      -1);
  const torch::Tensor held = order.slice(0, 0, holdout), kept = order.slice(0, holdout);
  // Networks differ by the rows that they see: a sample with replacement each.
  const int64_t count = rows - holdout;
  return {inputs.index_select(0, kept), targets.index_select(0, kept), inputs.index_select(0, held),
          targets.index_select(0, held),
          random_.Integers(RandomStream::kEnsembleBootstrap, fits_ << 24,
                           std::max<int64_t>(count, 1), {options_.networks, count})};
}

void EnsembleModel::FitScale(const torch::Tensor& inputs) {
  constexpr double kLeastStd = 1e-12;  // an input that never changes stays as it is
  const torch::Tensor std = inputs.std(0, /*unbiased=*/false);
  input_mean_.copy_(inputs.mean(0));
  input_std_.copy_(torch::where(std < kLeastStd, torch::ones_like(std), std));
}

torch::Tensor EnsembleModel::Standardised(const torch::Tensor& inputs) const {
  return (inputs - input_mean_) / input_std_;
}

void EnsembleModel::TrainEpoch(const Split& split, int64_t epoch) {
  const int64_t count = split.rows.size(1);
  // The same order for the samples of all networks: they are independent of each other anyway.
  const torch::Tensor order =
      random_.Permutation(RandomStream::kEnsembleBootstrap, (fits_ << 24) + epoch + 1, count);
  for (int64_t first = 0; first < count; first += options_.batch_rows) {
    const torch::Tensor rows =
        split.rows.index_select(1, order.slice(0, first, first + options_.batch_rows));
    const torch::Tensor flat = rows.flatten();
    const auto pick = [&](const torch::Tensor& from) {
      return from.index_select(0, flat).view({rows.size(0), rows.size(1), -1});
    };
    adam_->zero_grad();
    network_->Loss(Standardised(pick(split.inputs)), pick(split.targets)).backward();
    adam_->step();
  }
}

torch::Tensor EnsembleModel::HoldoutErrors(const Split& split) {
  torch::NoGradGuard no_grad;
  const torch::Tensor inputs =
      Standardised(split.holdout_inputs).unsqueeze(0).expand({options_.networks, -1, -1});
  const torch::Tensor error = network_->forward(inputs).mean - split.holdout_targets.unsqueeze(0);
  return error.to(torch::kFloat64).square().mean({1, 2});
}

absl::StatusOr<EnsembleFit> EnsembleModel::Fit(const Batch& transitions) {
  const absl::Status status =
      CheckBatch(transitions, {options_.observation_dim}, torch::kFloat32, options_.action_dim);
  if (!status.ok()) return status;
  return WithoutThrowing("EnsembleModel::Fit", [&]() -> absl::StatusOr<EnsembleFit> {
    const Split split = MakeSplit(transitions);
    if (split.inputs.size(0) < 2 || split.holdout_inputs.size(0) < 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          transitions.size(), " transitions are too few to train on some and hold out others"));
    }
    FitScale(split.inputs);
    BestWeights best(network_, options_.networks);
    EnsembleFit fit;
    int64_t idle_epochs = 0;
    while (idle_epochs <= options_.patience_epochs &&
           (options_.most_epochs == 0 || fit.epochs < options_.most_epochs)) {
      TrainEpoch(split, fit.epochs++);
      const bool improved = best.Keep(HoldoutErrors(split), options_.least_improvement);
      idle_epochs = improved ? 0 : idle_epochs + 1;
    }
    best.Restore();
    ++fits_;
    const torch::Tensor errors = HoldoutErrors(split);
    elites_.copy_(errors.argsort().slice(0, 0, options_.elites));
    fit.holdout_errors.assign(errors.data_ptr<double>(),
                              errors.data_ptr<double>() + errors.numel());
    fit.elites = elites();
    return fit;
  });
}

absl::StatusOr<Gaussians> EnsembleModel::PredictElites(const torch::Tensor& observation,
                                                       const torch::Tensor& action) {
  absl::Status status = CheckFinite(observation, {-1, options_.observation_dim}, "observation");
  if (status.ok()) {
    status = CheckFinite(action, {observation.size(0), options_.action_dim}, "action");
  }
  if (!status.ok()) return status;
  torch::NoGradGuard no_grad;
  const torch::Tensor inputs = Standardised(torch::cat({observation, action}, -1));
  const Gaussians all = network_->forward(inputs.unsqueeze(0).expand({options_.networks, -1, -1}));
  return Gaussians{all.mean.index_select(0, elites_), all.log_variance.index_select(0, elites_)};
}

absl::StatusOr<Prediction> EnsembleModel::Sample(const torch::Tensor& observation,
                                                 const torch::Tensor& action, uint64_t counter) {
  return WithoutThrowing("EnsembleModel::Sample", [&]() -> absl::StatusOr<Prediction> {
    const absl::StatusOr<Gaussians> elites = PredictElites(observation, action);
    if (!elites.ok()) return elites.status();
    torch::NoGradGuard no_grad;
    const int64_t rows = observation.size(0), outputs = elites->mean.size(2);
    const torch::Tensor chosen =
        random_.Integers(RandomStream::kEnsembleSample, 2 * counter, options_.elites, {rows})
            .view({1, rows, 1})
            .expand({1, rows, outputs});
    const torch::Tensor noise =
        random_.Normal(RandomStream::kEnsembleSample, 2 * counter + 1, {rows, outputs});
    const torch::Tensor drawn = elites->mean.gather(0, chosen)[0] +
                                noise * (0.5 * elites->log_variance.gather(0, chosen)[0]).exp();
    return Prediction{observation + drawn.slice(1, 1), drawn.select(1, 0)};
  });
}

absl::StatusOr<Prediction> EnsembleModel::Mean(const torch::Tensor& observation,
                                               const torch::Tensor& action) {
  return WithoutThrowing("EnsembleModel::Mean", [&]() -> absl::StatusOr<Prediction> {
    const absl::StatusOr<Gaussians> elites = PredictElites(observation, action);
    if (!elites.ok()) return elites.status();
    const torch::Tensor mean = elites->mean.mean(0);
    return Prediction{observation + mean.slice(1, 1), mean.select(1, 0)};
  });
}

std::vector<int64_t> EnsembleModel::elites() const {
  const int64_t* first = elites_.data_ptr<int64_t>();
  return {first, first + elites_.numel()};
}

absl::Status EnsembleModel::Save(const std::string& path) const {
  return state_.Save(path, kFormat);
}

absl::Status EnsembleModel::Load(const std::string& path) { return state_.Load(path, kFormat); }

}  // namespace gwm::rl
