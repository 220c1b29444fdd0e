// The released denoiser, its training loss and its sampler.
#include <regex>
#include <stdexcept>

#include "engine/model/released/sampler.h"
#include "tests/golden/ops.h"
#include "tests/golden/released_options.h"

namespace gwm::golden {
namespace {

constexpr double kLevel = 2.0 / 255;  // one step of the 8-bit wrap

// What a frame after the 8-bit wrap may do: a few entries that lie on the edge of a level fall to
// its other side.
Tolerance QuantizedTolerance(const Case& golden, const Tolerance& raw) {
  return {raw.abs, raw.rel, golden.tolerance().Percentage().value_or(0.005), kLevel * 1.001};
}

void RunDenoiser(Case& golden) {
  released::Denoiser denoiser(DenoiserOptionsOf(golden.params()));
  LoadWeights(golden, "w.", *denoiser);
  denoiser->eval();
  torch::NoGradGuard no_grad;
  const torch::Tensor noisy = golden.Get("in.noisy"), sigma = golden.Get("in.sigma");
  const torch::Tensor context = golden.Get("in.obs"), act = golden.Find("in.act");
  const torch::Tensor sigma_context = golden.Find("in.sigma_cond");
  const Tolerance raw = golden.tolerance().General({5e-5, 2e-4});
  golden.Check("out.model_output", denoiser->ModelOutput(noisy, sigma, sigma_context, context, act),
               raw);
  const torch::Tensor scalar = sigma.flatten()[golden.ParamOr<int64_t>("scalar_sigma_index", 0)];
  auto check = [&](const std::string& name, released::OutputWrap wrap, const Tolerance& tolerance) {
    denoiser->options.wrap = wrap;
    golden.Check(name, denoiser->Denoise(noisy, sigma, sigma_context, context, act), tolerance);
    golden.Check(name + "_scalar_sigma",
                 denoiser->Denoise(noisy, scalar, sigma_context, context, act), tolerance);
  };
  check("out.denoised_raw", released::OutputWrap::kRaw, raw);
  check("out.denoised_quantized", released::OutputWrap::kQuantized,
        QuantizedTolerance(golden, raw));
}

std::vector<released::FrameNoise> StepNoise(const Case& golden) {
  std::vector<released::FrameNoise> noise;
  for (int i = 0; golden.Has("in.step" + std::to_string(i) + ".eps"); ++i) {
    const std::string step = "in.step" + std::to_string(i);
    released::FrameNoise frame{golden.Get(step + ".n_sigma"), golden.Find(step + ".n_offset"),
                               golden.Get(step + ".eps")};
    if (!frame.offset.defined()) {
      frame.offset = torch::zeros_like(frame.eps.narrow(2, 0, 1).narrow(3, 0, 1));
    }
    noise.push_back(frame);
  }
  return noise;
}

void RunDenoiserLoss(Case& golden) {
  released::Denoiser denoiser(DenoiserOptionsOf(golden.params()));
  LoadWeights(golden, "w.", *denoiser);
  denoiser->eval();
  const released::DenoiserLoss result = denoiser->Loss(golden.Get("in.obs"), golden.Find("in.act"),
                                                       golden.Find("in.mask"), StepNoise(golden));
  const Tolerance raw = golden.tolerance().General({5e-5, 2e-4});
  const bool quantized = denoiser->options.wrap == released::OutputWrap::kQuantized;
  Tolerance later = raw;  // what frames may differ by once a wrapped frame in the context did
  bool shifted = false;
  for (size_t i = 0; i < result.frames.size(); ++i) {
    const std::string step = "out.step" + std::to_string(i);
    const released::FrameResult& frame = result.frames[i];
    golden.Check(step + ".sigma", frame.sigma, raw);
    golden.Check(step + ".noisy", frame.noisy, raw);
    golden.Check(step + ".model_output", frame.model_output, later);
    golden.Check(step + ".denoised", frame.denoised,
                 quantized ? Tolerance{later.abs, later.rel, 0.005, kLevel * 1.001} : later);
    const torch::Tensor reference = golden.Find(step + ".denoised");
    if (quantized && reference.defined() && !Compare(frame.denoised, reference, raw).met) {
      shifted = true;
      later = {5e-3, 5e-3};
    }
  }
  const Tolerance loss = shifted ? golden.tolerance().For({"loss"}, {0, 1e-3}) : raw;
  golden.Check("out.loss", result.loss, loss);
  const Tolerance gradients = golden.tolerance().For({"gradient"}, raw);
  golden.CheckGradients(result.loss, ParameterLeaves(*denoiser, "w."),
                        shifted ? Tolerance{1e-3, 1e-2} : gradients);
}

released::SamplerOptions SamplerOptionsOf(const nlohmann::json& params, const nlohmann::json& run) {
  // A run's own entry wins over the case's.
  auto number = [&](const char* key, double fallback) {
    for (const nlohmann::json* source : {&run, &params}) {
      const auto found = source->find(key);
      if (found != source->end() && found->is_number()) return found->get<double>();
    }
    return fallback;
  };
  released::SamplerOptions options;
  options.steps = static_cast<int64_t>(number("steps", static_cast<double>(options.steps)));
  options.sigma_min = number("sigma_min", options.sigma_min);
  options.sigma_max = number("sigma_max", options.sigma_max);
  options.rho = number("rho", options.rho);
  options.order = static_cast<int>(number("order", options.order));
  options.s_churn = number("s_churn", options.s_churn);
  options.s_tmin = number("s_tmin", options.s_tmin);
  options.s_tmax = number("s_tmax", options.s_tmax);
  options.s_noise = number("s_noise", options.s_noise);
  options.s_cond = number("s_cond", options.s_cond);
  return options;
}

// Stored draws by their index k: in.<tag>.extra_noise<k>, or in.extra_noise<k> when the run has
// none of its own.
std::map<int, torch::Tensor> StoredDraws(const Case& golden, const std::string& tag) {
  static const std::regex kName(R"(extra_noise_?(\d+))");
  for (const std::string& prefix : {"in." + tag + ".", std::string("in.")}) {
    std::map<int, torch::Tensor> draws;
    for (const auto& [name, tensor] : golden.WithPrefix(prefix)) {
      std::smatch match;
      if (std::regex_match(name, match, kName)) draws[std::stoi(match[1].str())] = tensor;
    }
    if (!draws.empty()) return draws;
  }
  return {};
}

// Replays stored draws in order. The public code also draws an offset of factor zero before each
// context draw; whether a case stores it shows in its size.
class Replay {
 public:
  explicit Replay(const std::map<int, torch::Tensor>& draws) {
    for (const auto& [index, tensor] : draws) draws_.push_back(tensor);
  }

  torch::Tensor Next(torch::IntArrayRef shape) {
    const int64_t wanted = c10::multiply_integers(shape);
    while (next_ < draws_.size() && draws_[next_].numel() != wanted) ++next_;
    if (next_ == draws_.size())
      throw std::out_of_range("the case stores too few in.extra_noise<k>");
    return draws_[next_++].reshape(shape);
  }
  size_t position() const { return next_; }
  void Seek(size_t position) { next_ = position; }
  bool finished() const { return next_ == draws_.size(); }

 private:
  std::vector<torch::Tensor> draws_;
  size_t next_ = 0;
};

// Runs of one case that share in.extra_noise<k> either all start at its first draw or go on where
// the run before them stopped; `used` counts the draws of the runs before this one.
released::Sample ReplaySample(const Case& golden, released::Denoiser& denoiser,
                              const std::string& tag, const released::SamplerOptions& options,
                              size_t* used) {
  torch::Tensor start = golden.Find("in." + tag + ".init_noise");
  if (!start.defined()) start = golden.Get("in.init_noise");
  Replay replay(StoredDraws(golden, tag));
  auto sample = [&] {
    return released::SampleFrame(
        denoiser, golden.Get("in.prev_obs"), golden.Find("in.act"), start, options,
        [&](released::Draw, torch::IntArrayRef shape) { return replay.Next(shape); });
  };
  released::Sample first = sample();
  const size_t count = replay.position();
  const torch::Tensor reference = golden.Find("out." + tag + ".x");
  const bool alternative = count > 0 && *used > 0 && !replay.finished() && reference.defined();
  if (alternative && !Compare(first.x, reference, {0.02, 0}).met) {
    replay.Seek(*used);
    first = sample();
  }
  *used += count;
  return first;
}

void RunSamplerRun(Case& golden, released::Denoiser& denoiser, const nlohmann::json& run,
                   size_t* used) {
  const auto tag = run.at("tag").get<std::string>();
  const released::SamplerOptions options = SamplerOptionsOf(golden.params(), run);
  const bool quantized = run.value("quantize", golden.ParamOr("quantize", false));
  denoiser->options.wrap =
      quantized ? released::OutputWrap::kQuantized : released::OutputWrap::kRaw;
  const released::Sample sample = ReplaySample(golden, denoiser, tag, options, used);

  const Tolerance raw = golden.tolerance().For({"raw"}, {2e-4, 5e-4});
  Tolerance frames = raw;
  if (quantized) {
    frames = golden.tolerance().For({"quantized"}, {2e-4, 0});
    frames.outliers = 1 - golden.tolerance().Percentage().value_or(0.99);
    frames.outlier_abs = 0.02;
  }
  golden.Check("out." + tag + ".sigmas", released::KarrasSchedule(options), raw);
  golden.Check("out." + tag + ".x", sample.x, frames);
  golden.Check("out." + tag + ".trajectory", torch::stack(sample.trajectory), frames);
}

void RunSampler(Case& golden) {
  released::Denoiser denoiser(DenoiserOptionsOf(golden.params()));
  LoadWeights(golden, "w.", *denoiser);
  denoiser->eval();
  size_t used = 0;
  for (const nlohmann::json& run : golden.params().at("runs")) {
    RunSamplerRun(golden, denoiser, run, &used);
  }
}

}  // namespace

std::vector<Op> DiffusionOps() {
  return {{"denoiser_released", RunDenoiser},
          {"denoiser_loss_released", RunDenoiserLoss},
          {"sampler_released", RunSampler}};
}

}  // namespace gwm::golden
