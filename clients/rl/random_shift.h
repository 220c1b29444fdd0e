// The augmentation of DrQ: images moved by a few pixels, each by its own draw.
#ifndef GWM_CLIENTS_RL_RANDOM_SHIFT_H_
#define GWM_CLIENTS_RL_RANDOM_SHIFT_H_

#include <torch/torch.h>

namespace gwm::rl {

// Pads by `pad` replicated pixels and samples bilinearly a window of the old size whose corner lies
// at (shift_y, shift_x) of the padded image: the identity at shift = pad. Whole shifts give the
// crop itself, up to the rounding of the sampling grid.
// Source: RandomShiftsAug of facebookresearch/drqv2 drqv2.py.
//   image: [B, C, H, W] f32, H = W; shift_xy: [B, 2] i64 or f32, 0 .. 2 pad, (x, y)
//   -> [B, C, H, W]
torch::Tensor ShiftImages(const torch::Tensor& image, const torch::Tensor& shift_xy, int64_t pad);

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_RANDOM_SHIFT_H_
