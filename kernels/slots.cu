#include "kernels/cuda_launch.h"
#include "kernels/slots.h"

namespace gwm::kernels {
namespace {

template <typename Unit>
__global__ void GatherKernel(SlotArgs args, int64_t units, const Unit* pool, Unit* batch) {
  for (int64_t i = GridIndex(); i < args.rows * units; i += GridSize()) {
    const int64_t slot = args.slots[i / units];
    const bool inside = slot >= 0 && slot < args.num_slots;
    batch[i] = inside ? pool[slot * units + i % units] : Unit{};
  }
}

template <typename Unit>
__global__ void ScatterKernel(SlotArgs args, int64_t units, const Unit* batch, Unit* pool) {
  for (int64_t i = GridIndex(); i < args.rows * units; i += GridSize()) {
    const int64_t slot = args.slots[i / units];
    if (slot >= 0 && slot < args.num_slots) pool[slot * units + i % units] = batch[i];
  }
}

bool InUnitsOf16(const SlotArgs& args, const void* a, const void* b) {
  return (static_cast<uintptr_t>(args.row_bytes) | reinterpret_cast<uintptr_t>(a) |
          reinterpret_cast<uintptr_t>(b)) %
             16 ==
         0;
}

KernelStatus Check(const SlotArgs& args) {
  const bool valid = args.rows >= 0 && args.num_slots >= 0 && args.row_bytes >= 0;
  return valid ? KernelStatus::kOk : KernelStatus::kInvalidArgument;
}

template <typename Unit>
KernelStatus LaunchGather(const SlotArgs& args, const void* pool, void* batch, GpuStream stream) {
  const int64_t units = args.row_bytes / static_cast<int64_t>(sizeof(Unit));
  return Launch(GatherKernel<Unit>, GridFor(args.rows * units), kBlockThreads, stream, args, units,
                static_cast<const Unit*>(pool), static_cast<Unit*>(batch));
}

template <typename Unit>
KernelStatus LaunchScatter(const SlotArgs& args, const void* batch, void* pool, GpuStream stream) {
  const int64_t units = args.row_bytes / static_cast<int64_t>(sizeof(Unit));
  return Launch(ScatterKernel<Unit>, GridFor(args.rows * units), kBlockThreads, stream, args, units,
                static_cast<const Unit*>(batch), static_cast<Unit*>(pool));
}

}  // namespace

KernelStatus GatherSlotsCuda(const SlotArgs& args, const void* pool, void* batch,
                             GpuStream stream) {
  if (Check(args) != KernelStatus::kOk) return KernelStatus::kInvalidArgument;
  if (args.rows * args.row_bytes == 0) return KernelStatus::kOk;
  return InUnitsOf16(args, pool, batch) ? LaunchGather<uint4>(args, pool, batch, stream)
                                        : LaunchGather<uint8_t>(args, pool, batch, stream);
}

KernelStatus ScatterSlotsCuda(const SlotArgs& args, const void* batch, void* pool,
                              GpuStream stream) {
  if (Check(args) != KernelStatus::kOk) return KernelStatus::kInvalidArgument;
  if (args.rows * args.row_bytes == 0) return KernelStatus::kOk;
  return InUnitsOf16(args, batch, pool) ? LaunchScatter<uint4>(args, batch, pool, stream)
                                        : LaunchScatter<uint8_t>(args, batch, pool, stream);
}

}  // namespace gwm::kernels
