// Pieces of the engine as it runs them, behind a C border: loaded by a Python process that has
// imported the very same LibTorch, so both sides share its threads. Arrays are contiguous f32 and
// borrowed for the call; results stay with their handle until its next call. A null result: see
// GwmBenchEngineError.
#include <torch/torch.h>

#include <memory>
#include <string>

#include "engine/checkpoint/checkpoint.h"
#include "engine/model/edm.h"
#include "engine/model/layers.h"
#include "tests/bench/kernels_c_api.h"

struct GwmBenchLinear {
  gwm::RowLinear layer{nullptr};
  torch::Tensor out;
};

struct GwmBenchModel {
  std::unique_ptr<gwm::WorldModel> model;
  gwm::ConditionCache cache;
  torch::Tensor out;
};

namespace {

std::string last_error;  // of this process's one benchmark thread
torch::Tensor attention_out;

torch::Tensor View(const float* data, std::vector<int64_t> shape) {
  return torch::from_blob(const_cast<float*>(data), shape);
}

template <typename Body>
auto Caught(Body body) -> decltype(body()) {
  torch::NoGradGuard no_grad;
  try {
    return body();
  } catch (const std::exception& error) {
    last_error = error.what();
    return nullptr;
  }
}

}  // namespace

extern "C" {

GWM_BENCH_EXPORT const char* GwmBenchEngineError() { return last_error.c_str(); }

// weight [out, in], bias [out]: copied.
GWM_BENCH_EXPORT GwmBenchLinear* GwmBenchLinearOpen(const float* weight, const float* bias,
                                                    int64_t in, int64_t out) {
  return Caught([&]() -> GwmBenchLinear* {
    auto linear = std::make_unique<GwmBenchLinear>();
    linear->layer = gwm::RowLinear(in, out);
    linear->layer->weight.copy_(View(weight, {out, in}));
    linear->layer->bias.copy_(View(bias, {out}));
    return linear.release();
  });
}

// x [rows, in] -> [rows, out].
GWM_BENCH_EXPORT const float* GwmBenchLinearRun(GwmBenchLinear* linear, const float* x,
                                                int64_t rows) {
  return Caught([&]() -> const float* {
    linear->out = linear->layer(View(x, {rows, linear->layer->weight.size(1)}));
    return linear->out.data_ptr<float>();
  });
}

// q, k, v [1, heads, M, d] -> the same shape.
GWM_BENCH_EXPORT const float* GwmBenchAttention(const float* q, const float* k, const float* v,
                                                int64_t heads, int64_t tokens, int64_t dim) {
  return Caught([&]() -> const float* {
    const std::vector<int64_t> shape = {1, heads, tokens, dim};
    attention_out = gwm::Attention(View(q, shape), View(k, shape), View(v, shape)).contiguous();
    return attention_out.data_ptr<float>();
  });
}

GWM_BENCH_EXPORT GwmBenchModel* GwmBenchModelOpen(const char* folder) {
  return Caught([&]() -> GwmBenchModel* {
    auto loaded = gwm::LoadCheckpoint(folder);
    if (!loaded.ok()) throw std::runtime_error(std::string(loaded.status().message()));
    auto model = std::make_unique<GwmBenchModel>();
    model->model = std::move(loaded->model);
    return model.release();
  });
}

// One row: context [C, M, L], velocity [M, L], actions [K, A], centres [M, 3]. Returns `model`.
GWM_BENCH_EXPORT GwmBenchModel* GwmBenchModelPrepare(GwmBenchModel* model, const float* context,
                                                     const float* velocity, const float* actions,
                                                     const float* centres) {
  return Caught([&]() -> GwmBenchModel* {
    const auto& config = model->model->config;
    const int64_t tokens = config.tokens();
    const int64_t latent = config.tokenizer.latent_dim;
    const int64_t frames =
        config.dynamics.context_frames + (config.dynamics.remember_reset ? 1 : 0);
    model->cache = model->model->dynamics->Prepare(
        {.context = View(context, {1, frames, tokens, latent}).clone(),
         .velocity = View(velocity, {1, tokens, latent}).clone(),
         .actions = View(actions, {1, config.dynamics.action_history, config.action_dim}).clone(),
         .centres = View(centres, {1, tokens, 3}).clone()});
    return model;
  });
}

// The denoised target for x [M, L] at `sigma`, after GwmBenchModelPrepare.
GWM_BENCH_EXPORT const float* GwmBenchModelDenoise(GwmBenchModel* model, const float* x,
                                                   float sigma) {
  return Caught([&]() -> const float* {
    const auto& config = model->model->config;
    model->out = gwm::Denoise(*model->model->dynamics,
                              View(x, {1, config.tokens(), config.tokenizer.latent_dim}),
                              torch::full({1}, sigma), model->cache, config.diffusion.sigma_data)
                     .value.contiguous();
    return model->out.data_ptr<float>();
  });
}

}  // extern "C"
