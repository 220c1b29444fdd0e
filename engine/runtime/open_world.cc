#include <filesystem>

#include "engine/api/world.h"
#include "engine/base/catch_torch.h"
#include "engine/base/compute.h"
#include "engine/base/device.h"
#include "engine/base/log.h"
#include "engine/base/status.h"
#include "engine/runtime/model_world.h"

namespace gwm {

absl::StatusOr<std::unique_ptr<World>> OpenWorld(const WorldOptions& options) {
  return CatchTorch("opening the world", [&]() -> absl::StatusOr<std::unique_ptr<World>> {
    GWM_ASSIGN_OR_RETURN(const auto device, ChooseDevice(options.device));
    GWM_ASSIGN_OR_RETURN(
        const Compute compute,
        ChooseCompute(device, {.threads = options.threads, .precision = options.precision}));
    GWM_ASSIGN_OR_RETURN(auto checkpoint, LoadCheckpoint(options.checkpoint_dir));
    checkpoint.model->To(device);
    if (compute.precision == Precision::kBf16) checkpoint.model->UseBf16();
    io::TensorFile pool;
    const std::string path = options.checkpoint_dir + "/" + kResetPoolFile;
    if (std::filesystem::exists(path)) {
      GWM_ASSIGN_OR_RETURN(pool, io::ReadTensorFile(path));
    }
    GWM_ASSIGN_OR_RETURN(auto world, ModelWorld::Create(std::move(checkpoint), std::move(pool),
                                                        {.pool_bytes = options.pool_bytes,
                                                         .device_name = device.str(),
                                                         .compute = compute}));
    return std::unique_ptr<World>(std::move(world));
  });
}

}  // namespace gwm
