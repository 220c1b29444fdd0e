// Memory for environment states: fixed-size slots in one slab, released when the last pointer to a
// state goes.
#ifndef GWM_ENGINE_RUNTIME_STATE_POOL_H_
#define GWM_ENGINE_RUNTIME_STATE_POOL_H_

#include <torch/torch.h>

#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"

namespace gwm {

// Slots are handed out once and come back once: a Slot object owns its index, and each handing out
// has a generation number, so that a release that comes twice, or late, frees nothing that belongs
// to somebody else. Acquire and release are thread-safe; the slab's contents belong to the device
// thread.
class StatePool : public std::enable_shared_from_this<StatePool> {
 public:
  class Slot {
   public:
    Slot(std::shared_ptr<StatePool> pool, int64_t index, uint64_t generation)
        : pool_(std::move(pool)), index_(index), generation_(generation) {}
    ~Slot() { pool_->Release(index_, generation_); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    int64_t index() const { return index_; }
    uint64_t generation() const { return generation_; }

   private:
    std::shared_ptr<StatePool> pool_;
    int64_t index_;
    uint64_t generation_;
  };

  // `slots` rows of `floats` each.
  static std::shared_ptr<StatePool> Create(int64_t slots, int64_t floats, torch::Device device);

  // ResourceExhausted when `count` slots are not free; then none is taken.
  absl::StatusOr<std::vector<std::unique_ptr<Slot>>> Acquire(size_t count);
  // Gives the slot back if this is the generation that it is handed out in; else does nothing.
  // Returns whether it did. Requires 0 <= index < slots().
  bool Release(int64_t index, uint64_t generation);
  int64_t free() const;
  int64_t slots() const { return slab_.size(0); }

  // f32 [slots, floats]
  torch::Tensor& slab() { return slab_; }

 private:
  StatePool(torch::Tensor slab);

  torch::Tensor slab_;
  mutable std::mutex mutex_;
  std::vector<int64_t> free_;  // guarded by mutex_; the last is handed out next
  // Guarded by mutex_. Odd while the slot is handed out; grows with every change of hands.
  std::vector<uint64_t> generations_;
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_STATE_POOL_H_
