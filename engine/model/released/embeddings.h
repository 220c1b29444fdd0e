// Fixed (weight-free) embeddings of the released DiT.
#ifndef GWM_ENGINE_MODEL_RELEASED_EMBEDDINGS_H_
#define GWM_ENGINE_MODEL_RELEASED_EMBEDDINGS_H_

#include <torch/torch.h>

namespace gwm::released {

// Features [cos(t f_i) | sin(t f_i)] with f_i = max_period^(-i / floor(dim / 2)); an odd dim gets a
// last column of 0. t: [B]. Returns [B, dim], f32.
torch::Tensor TimeFeatures(const torch::Tensor& t, int64_t dim, double max_period = 10000.0);

// Position table of a grid x grid patch grid, tokens row-major. The first half of the width encodes
// the column, the second half the row, each as [sin(p w_i) | cos(p w_i)] with w_i = 10000^(-i /
// (dim / 4)), evaluated in double. Returns [grid * grid, dim], f32. Throws c10::Error when dim is
// not a multiple of 4.
torch::Tensor SinCosTable2d(int64_t dim, int64_t grid);

}  // namespace gwm::released

#endif  // GWM_ENGINE_MODEL_RELEASED_EMBEDDINGS_H_
