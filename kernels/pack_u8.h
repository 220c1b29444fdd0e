// Float images to bytes: out = round(255 x) clamped to 0..255, halves to even, NaN as 0.
#ifndef GWM_KERNELS_PACK_U8_H_
#define GWM_KERNELS_PACK_U8_H_

#include <cstdint>

#include "kernels/simd.h"
#include "kernels/status.h"

namespace gwm::kernels {

struct PackU8Args {
  const float* image = nullptr;  // [rows, columns] contiguous, 0..1; columns = pixels * channels
  int64_t rows = 0;
  int64_t columns = 0;
  uint8_t* out = nullptr;     // [rows, columns], a row every out_row_bytes
  int64_t out_row_bytes = 0;  // >= columns; bytes between rows are left as they are
};

KernelStatus PackU8(const PackU8Args& args, const CpuContext& cpu = {});

// The same with device pointers, the same bytes.
KernelStatus PackU8Cuda(const PackU8Args& args, GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PACK_U8_H_
