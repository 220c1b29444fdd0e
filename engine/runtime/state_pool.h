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

// Slots are handed out once and come back once: a Slot object owns its index, so no slot ever has
// two owners. Acquire and the release of a Slot are thread-safe; the slab's contents belong to the
// device thread.
class StatePool : public std::enable_shared_from_this<StatePool> {
 public:
  class Slot {
   public:
    Slot(std::shared_ptr<StatePool> pool, int64_t index) : pool_(std::move(pool)), index_(index) {}
    ~Slot() { pool_->Release(index_); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    int64_t index() const { return index_; }

   private:
    std::shared_ptr<StatePool> pool_;
    int64_t index_;
  };

  // `slots` rows of `floats` each.
  static std::shared_ptr<StatePool> Create(int64_t slots, int64_t floats, torch::Device device);

  // ResourceExhausted when `count` slots are not free; then none is taken.
  absl::StatusOr<std::vector<std::unique_ptr<Slot>>> Acquire(size_t count);
  int64_t free() const;
  int64_t slots() const { return slab_.size(0); }

  // f32 [slots, floats]
  torch::Tensor& slab() { return slab_; }

 private:
  StatePool(torch::Tensor slab);
  void Release(int64_t index);

  torch::Tensor slab_;
  mutable std::mutex mutex_;
  std::vector<int64_t> free_;  // guarded by mutex_; the last is handed out next
};

}  // namespace gwm

#endif  // GWM_ENGINE_RUNTIME_STATE_POOL_H_
