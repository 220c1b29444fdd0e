// 3DGS .ply files as INRIA's and gsplat's tools write and read them: per vertex x y z, (nx ny nz),
// f_dc_0..2, f_rest_* in channel-major order (f_rest_{c * (K - 1) + k}), opacity (logit),
// scale_0..2 (natural log), rot_0..3 (w, x, y, z).
#ifndef GWM_ENGINE_SCENE_PLY_H_
#define GWM_ENGINE_SCENE_PLY_H_

#include <array>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/api/types.h"

namespace gwm {

enum class PlyFormat { kBinaryLittleEndian, kBinaryBigEndian, kAscii };

struct PlyOptions {
  PlyFormat format = PlyFormat::kBinaryLittleEndian;
  bool normals = false;               // INRIA's files have nx ny nz (zeros), gsplat's have not
  std::vector<std::string> comments;  // one header line each; no line breaks inside
};

// Reads ascii and both binary byte orders, any order of properties, any scalar property types, any
// further properties and elements without lists before the vertices. Values pass unchanged: nothing
// is normalised. SH degree 0..4 by the number of f_rest_* properties. InvalidArgument names the
// line or property that is wrong; a hostile file never crashes.
absl::StatusOr<GaussianCloud> ParsePly(std::span<const uint8_t> bytes);
std::string SerializePly(const GaussianCloud& cloud, const PlyOptions& options = {});

// NotFound, or what ParsePly says, with the path.
absl::StatusOr<GaussianCloud> ReadPly(const std::string& path);
absl::Status WritePly(const std::string& path, const GaussianCloud& cloud,
                      const PlyOptions& options = {});

// A sanity check for files from elsewhere: what looks as if an activation or an order were wrong.
struct CloudReport {
  int64_t count = 0;
  int64_t sh_degree = 0;
  int64_t non_finite = 0;        // Gaussians with a NaN or infinity anywhere
  std::array<float, 3> min_m{};  // bounding box of the finite means
  std::array<float, 3> max_m{};
  float median_scale_m = 0;           // of exp(log_scales)
  float median_opacity = 0;           // of sigmoid(opacity_logits)
  std::vector<std::string> warnings;  // sentences; empty when nothing is suspicious
};
CloudReport InspectCloud(const GaussianCloud& cloud);
std::string ToString(const CloudReport& report);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_PLY_H_
