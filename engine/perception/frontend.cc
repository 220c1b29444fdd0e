#include "engine/perception/frontend.h"

#include "absl/strings/str_cat.h"
#include "engine/perception/rgbd.h"

namespace gwm {

absl::StatusOr<std::unique_ptr<Frontend>> CreateFrontend(std::string_view kind) {
  if (kind == "rgbd") return std::make_unique<RgbdFrontend>();
  return absl::InvalidArgumentError(absl::StrCat(
      "front-end is '", absl::string_view(kind.data(), kind.size()), "', allowed is rgbd"));
}

}  // namespace gwm
