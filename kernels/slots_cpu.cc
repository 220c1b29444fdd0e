#include <cstring>

#include "kernels/slots.h"

namespace gwm::kernels {
namespace {

bool Valid(const SlotArgs& args) {
  return args.rows >= 0 && args.num_slots >= 0 && args.row_bytes >= 0;
}

bool InPool(const SlotArgs& args, int64_t row) {
  return args.slots[row] >= 0 && args.slots[row] < args.num_slots;
}

}  // namespace

KernelStatus GatherSlots(const SlotArgs& args, const void* pool, void* batch) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  const size_t bytes = static_cast<size_t>(args.row_bytes);
  for (int64_t row = 0; bytes > 0 && row < args.rows; ++row) {
    char* to = static_cast<char*>(batch) + row * args.row_bytes;
    if (InPool(args, row)) {
      std::memcpy(to, static_cast<const char*>(pool) + args.slots[row] * args.row_bytes, bytes);
    } else {
      std::memset(to, 0, bytes);
    }
  }
  return KernelStatus::kOk;
}

KernelStatus ScatterSlots(const SlotArgs& args, const void* batch, void* pool) {
  if (!Valid(args)) return KernelStatus::kInvalidArgument;
  const size_t bytes = static_cast<size_t>(args.row_bytes);
  for (int64_t row = 0; bytes > 0 && row < args.rows; ++row) {
    if (!InPool(args, row)) continue;
    std::memcpy(static_cast<char*>(pool) + args.slots[row] * args.row_bytes,
                static_cast<const char*>(batch) + row * args.row_bytes, bytes);
  }
  return KernelStatus::kOk;
}

}  // namespace gwm::kernels
