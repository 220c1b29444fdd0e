// Episodes in memory as tensors, and the frames of a batch.
#ifndef GWM_ENGINE_DATA_DATASET_H_
#define GWM_ENGINE_DATA_DATASET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/io/episode.h"
#include "engine/model/tokenizer.h"

namespace gwm {

struct EpisodeTensors {
  torch::Tensor rgb;             // u8 [T, V, H, W, 3]
  torch::Tensor depth_mm;        // i16 [T, V, H, W]; 0 = nothing hit
  torch::Tensor intrinsics;      // f32 [V, 3, 3]
  torch::Tensor world_from_cam;  // f32 [V, 4, 4]
  torch::Tensor action;          // f32 [T, A]; row t led to frame t
  torch::Tensor reward;          // f32 [T]
  torch::Tensor terminated;      // f32 [T]
  torch::Tensor success;         // f32 [T]
  std::string path, task, kind;

  int64_t frames() const { return rgb.size(0); }
};

struct Dataset {
  std::vector<EpisodeTensors> episodes;

  int64_t frames() const;
  // Colour and inverse depth f32 [n, V, 4, H, W] of frames [n] (i64) of one episode.
  torch::Tensor Pixels(size_t episode, const torch::Tensor& frames, double far_m) const;
  // The same with cameras, as scenes.
  SceneBatch Scenes(size_t episode, const torch::Tensor& frames, const ModelConfig& config) const;
};

// InvalidArgument when the views, the image size or the action dimension are not those of `config`;
// `name` says which episode it is.
absl::Status CheckFits(const io::Episode& episode, const std::string& name,
                       const ModelConfig& config);

EpisodeTensors ToTensors(const io::Episode& episode);

// All episodes below `roots`, with a progress line. InvalidArgument names the first file whose
// views, image size or action dimension differ from `config`; episodes may differ in length.
absl::StatusOr<Dataset> LoadDataset(const std::vector<std::string>& roots,
                                    const ModelConfig& config);

}  // namespace gwm

#endif  // GWM_ENGINE_DATA_DATASET_H_
