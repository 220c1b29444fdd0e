#include "server/training/device_piece.h"

#include <future>
#include <optional>
#include <utility>

#include "server/schedule/work.h"

namespace gwm::server {
namespace {

class Piece final : public SoloWork {
 public:
  Piece(const std::string& client, const std::function<absl::Status()>& function,
        std::promise<absl::Status>* done)
      : SoloWork(std::make_shared<CallHandle>(absl::InfiniteFuture(), WorkClass::kTraining, client),
                 nullptr, nullptr),
        function_(function),
        done_(done) {}

  // An exception becomes a Refuse.
  void Start(const RunTiming&) override { Answer(function_()); }
  void Run(World&, const RunTiming&) override {}
  void Refuse(const absl::Status& status) override { Answer(status); }

 private:
  void Answer(const absl::Status& status) {
    if (auto* done = std::exchange(done_, nullptr)) done->set_value(status);
  }

  // Both belong to who waits, and are not touched after the answer.
  const std::function<absl::Status()>& function_;
  std::promise<absl::Status>* done_;
};

}  // namespace

absl::Status RunOnDevice(DeviceThread& device, const std::string& client,
                         const std::function<absl::Status()>& piece) {
  std::promise<absl::Status> done;
  device.Submit(std::make_unique<Piece>(client, piece, &done), Admission::kAlways);
  return done.get_future().get();
}

}  // namespace gwm::server
