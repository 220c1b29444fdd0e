#include "engine/runtime/state_pool.h"

#include "absl/strings/str_cat.h"

namespace gwm {

std::shared_ptr<StatePool> StatePool::Create(int64_t slots, int64_t floats, torch::Device device) {
  auto slab = torch::zeros({slots, floats}, torch::TensorOptions().device(device));
  return std::shared_ptr<StatePool>(new StatePool(std::move(slab)));
}

StatePool::StatePool(torch::Tensor slab) : slab_(std::move(slab)) {
  for (int64_t i = slab_.size(0); i-- > 0;) free_.push_back(i);
  generations_.resize(free_.size(), 0);
}

absl::StatusOr<std::vector<std::unique_ptr<StatePool::Slot>>> StatePool::Acquire(size_t count) {
  std::vector<std::unique_ptr<Slot>> taken;
  const std::lock_guard lock(mutex_);
  if (free_.size() < count) {
    return absl::ResourceExhaustedError(absl::StrCat("state pool: ", count, " slots wanted, ",
                                                     free_.size(), " of ", slab_.size(0),
                                                     " are free"));
  }
  for (size_t i = 0; i < count; ++i) {
    uint64_t& generation = generations_[static_cast<size_t>(free_.back())];
    taken.push_back(std::make_unique<Slot>(shared_from_this(), free_.back(), ++generation));
    free_.pop_back();
  }
  return taken;
}

int64_t StatePool::free() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(free_.size());
}

bool StatePool::Release(int64_t index, uint64_t generation) {
  const std::lock_guard lock(mutex_);
  uint64_t& current = generations_[static_cast<size_t>(index)];
  if (current != generation || current % 2 == 0) return false;
  ++current;
  free_.push_back(index);
  return true;
}

}  // namespace gwm
