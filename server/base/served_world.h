// A world that is being served: what it is, for every thread, and the world itself, for the device
// thread alone.
#ifndef GWM_SERVER_BASE_SERVED_WORLD_H_
#define GWM_SERVER_BASE_SERVED_WORLD_H_

#include <atomic>
#include <memory>
#include <utility>

#include "engine/api/world.h"

namespace gwm::server {

class ServedWorld {
 public:
  explicit ServedWorld(std::unique_ptr<World> world)
      : spec_(world->spec()), world_(std::move(world)) {}

  // Constant.
  const WorldSpec& spec() const { return spec_; }
  // Device thread only.
  World& world() const { return *world_; }

  // A world on its way out goes on serving the sessions that it has. SessionTable heeds this.
  bool takes_sessions() const { return takes_sessions_.load(std::memory_order_relaxed); }
  void TakeSessions(bool take) const { takes_sessions_.store(take, std::memory_order_relaxed); }

 private:
  const WorldSpec spec_;
  const std::unique_ptr<World> world_;
  mutable std::atomic<bool> takes_sessions_ = true;
};

// Whoever holds states of a world, or has work for it, holds this: the world goes, on the device
// thread, when the last handle was dropped.
using WorldHandle = std::shared_ptr<const ServedWorld>;

}  // namespace gwm::server

#endif  // GWM_SERVER_BASE_SERVED_WORLD_H_
