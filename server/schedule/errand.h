// What the device thread does besides using one world: opening a world, or letting one go.
#ifndef GWM_SERVER_SCHEDULE_ERRAND_H_
#define GWM_SERVER_SCHEDULE_ERRAND_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "server/schedule/work.h"

namespace gwm::server {

// Called in any case: on the device thread, or by Submit's thread when that thread has stopped.
class Errand final : public SoloWork {
 public:
  // Errands of one owner keep their order. `function` is called once.
  Errand(const void* owner, std::function<void()> function)
      : SoloWork(std::make_shared<CallHandle>(absl::InfiniteFuture()), owner, nullptr),
        function_(std::move(function)) {}

  void Start(const RunTiming&) override { Do(); }
  void Run(World&, const RunTiming&) override { Do(); }
  void Refuse(const absl::Status&) override { Do(); }

 private:
  void Do() {
    if (auto function = std::exchange(function_, nullptr)) function();
  }

  std::function<void()> function_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_SCHEDULE_ERRAND_H_
