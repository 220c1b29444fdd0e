// Rows of fixed size moved between a pool of slots and a dense batch: how a step loads and commits
// session state.
#ifndef GWM_KERNELS_SLOTS_H_
#define GWM_KERNELS_SLOTS_H_

#include <cstdint>

#include "kernels/status.h"

namespace gwm::kernels {

struct SlotArgs {
  const int64_t* slots = nullptr;  // [rows] slot of each row
  int64_t rows = 0;
  int64_t num_slots = 0;
  int64_t row_bytes = 0;
};

// batch[i] = pool[slots[i]]; a slot outside [0, num_slots) reads as zero bytes. Pool and batch do
// not overlap.
KernelStatus GatherSlots(const SlotArgs& args, const void* pool, void* batch);
// pool[slots[i]] = batch[i]; a slot outside [0, num_slots) is not written. Slots are distinct.
KernelStatus ScatterSlots(const SlotArgs& args, const void* batch, void* pool);

KernelStatus GatherSlotsCuda(const SlotArgs& args, const void* pool, void* batch, GpuStream stream);
KernelStatus ScatterSlotsCuda(const SlotArgs& args, const void* batch, void* pool,
                              GpuStream stream);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_SLOTS_H_
