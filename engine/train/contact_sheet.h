// A picture of an evaluation: real, imagined and repeated frames side by side.
#ifndef GWM_ENGINE_TRAIN_CONTACT_SHEET_H_
#define GWM_ENGINE_TRAIN_CONTACT_SHEET_H_

#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

#include "engine/io/image.h"

namespace gwm {

struct SheetCell {
  int64_t horizon;
  torch::Tensor real, imagined, repeat;  // f32 [H, W, 3] in [0, 1]
};

// f32 [H, W, 3] in [0, 1] as bytes.
io::Image ToImage(const torch::Tensor& rgb);

// One row per task, one group of three images per horizon.
io::Image DrawContactSheet(const std::map<std::string, std::vector<SheetCell>>& rows);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_CONTACT_SHEET_H_
