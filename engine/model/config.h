// Every hyper-parameter of a world model, and the named profiles.
#ifndef GWM_ENGINE_MODEL_CONFIG_H_
#define GWM_ENGINE_MODEL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gwm {

struct TokenizerConfig {
  std::string kind = "grid";  // "grid": pixel-aligned patches; "set": FPS anchors (paper)
  int64_t latent_dim = 32;    // L
  int64_t width = 160;        // channels of the deepest level (grid), token width (set)
  int64_t depth = 2;          // residual blocks at the deepest level (grid), decoder layers (set)
  double latent_noise = 0.1;  // std of the noise that the decoder learns to bear, in latent units
  int64_t colour_passes = 0;  // of FitColours (perception/rgbd.h) on the reset frame's Gaussians
  // grid
  int64_t patch = 8;  // pixels per token side, a power of two
  // set
  int64_t tokens = 64;  // M
  int64_t heads = 4;
  int64_t gaussians_per_token = 32;  // K
  int64_t input_gaussians = 2048;    // those that the encoder attends to, by FPS; 0: all
  double offset_extent_m =
      0.25;  // decoded centres stay within this distance of their anchor, per axis
};

struct DynamicsConfig {
  int64_t width = 192;  // D
  int64_t depth = 6;
  int64_t heads = 6;
  int64_t mlp_ratio = 4;
  int64_t context_frames = 2;  // the newest frames that the denoiser sees
  bool remember_reset = true;  // the reset frame is one more context frame
  int64_t action_history = 3;  // newest actions in the action chunk, the current one included
  bool residual = true;        // predict the normalised change of the latents, else the latents
  double rope_base = 100;
  double rope_units_per_m = 20;
};

struct DiffusionConfig {
  double sigma_data = 0.5;
  double sigma_min = 0.002;
  double sigma_max = 5;
  double rho = 7;
  int64_t calls = 1;  // denoiser calls per step (Euler)
  int64_t max_calls = 16;
  bool heun = false;
  // A step of one denoiser call starts from zero instead of noise: the conditional mean, the same
  // for every seed. At sigma_max the noisy sample says nothing about the target anyway.
  bool mean_start = false;
};

struct RewardConfig {
  int64_t width = 128;
  // Numbers that each token hands on in its own place: for tokens that keep their place from one
  // episode to the next (grid). 0: attention pooling, which does not know the order of tokens.
  int64_t token_values = 0;
  int64_t queries = 4;       // of the attention pooling
  int64_t bins = 101;        // two-hot over symlog reward
  double symlog_limit = 10;  // bins span [-limit, limit]
};

struct ErrorHeadConfig {
  int64_t width = 0;  // 0: the model has no error head
};

struct ModelConfig {
  std::string profile = "gwm-small";
  int64_t views = 1;
  int64_t height = 64;
  int64_t width = 64;
  int64_t action_dim = 4;
  double far_m = 6;            // depth given to pixels where nothing was hit
  double gaussian_size = 0.5;  // standard deviation of a pixel's Gaussian in pixels
  double control_dt_s = 0;
  TokenizerConfig tokenizer;
  DynamicsConfig dynamics;
  DiffusionConfig diffusion;
  RewardConfig reward;
  ErrorHeadConfig error_head;
  std::vector<std::string> tasks;
  std::string
      tokenizer_digest;  // SHA-256 of the tokenizer's weights that the dynamics was trained with

  // M.
  int64_t tokens() const;
};

// "gwm-tiny", "gwm-small" or "gwm-paper"; NotFound lists the names.
absl::StatusOr<ModelConfig> ProfileConfig(const std::string& name);
// JSON text both ways. An unknown or ill-typed field is InvalidArgument and is named.
std::string ConfigToJson(const ModelConfig& config);
absl::StatusOr<ModelConfig> ConfigFromJson(const std::string& json);
// Fields present in `json` (same nesting) replace those of `config`.
absl::StatusOr<ModelConfig> OverrideConfig(ModelConfig config, const std::string& json);

}  // namespace gwm

#endif  // GWM_ENGINE_MODEL_CONFIG_H_
