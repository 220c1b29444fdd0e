#include "engine/scene/glb.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"

namespace gwm {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFloatComponent = 5126;  // glTF's number for 32-bit floats
constexpr int kPointsMode = 0;
constexpr int64_t kMaxDegree = 3;

void AppendU32(std::string& out, size_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((value >> shift) & 0xff);
}

// Collects attributes: one buffer view and one accessor each, all in one binary chunk.
class GlbBuilder {
 public:
  explicit GlbBuilder(int64_t count) : count_(count) {}

  // values: `width` floats per Gaussian.
  void Add(const std::string& name, int width, const std::vector<float>& values) {
    static constexpr std::array<const char*, 5> kTypes = {"", "SCALAR", "", "VEC3", "VEC4"};
    const size_t bytes = values.size() * sizeof(float);
    views_.push_back({{"buffer", 0}, {"byteOffset", binary_.size()}, {"byteLength", bytes}});
    accessors_.push_back({{"bufferView", views_.size() - 1},
                          {"componentType", kFloatComponent},
                          {"count", count_},
                          {"type", kTypes[static_cast<size_t>(width)]}});
    if (name == "POSITION") AddBounds(values);
    attributes_[name] = accessors_.size() - 1;
    binary_.append(reinterpret_cast<const char*>(values.data()), bytes);
  }

  std::string Finish() {
    // -90 degrees about x: our +z becomes glTF's +y.
    const Json node = {{"mesh", 0}, {"rotation", {-std::sqrt(0.5), 0.0, 0.0, std::sqrt(0.5)}}};
    const Json splat = {{"kernel", "ellipse"},
                        {"colorSpace", "srgb_rec709_display"},
                        {"sortingMethod", "cameraDistance"},
                        {"projection", "perspective"}};
    const Json primitive = {{"attributes", attributes_},
                            {"mode", kPointsMode},
                            {"extensions", {{"KHR_gaussian_splatting", splat}}}};
    const Json root = {{"asset", {{"version", "2.0"}, {"generator", "gwm"}}},
                       {"extensionsUsed", Json::array({"KHR_gaussian_splatting"})},
                       {"scene", 0},
                       {"scenes", Json::array({{{"nodes", Json::array({0})}}})},
                       {"nodes", Json::array({node})},
                       {"meshes", Json::array({{{"primitives", Json::array({primitive})}}})},
                       {"buffers", Json::array({{{"byteLength", binary_.size()}}})},
                       {"bufferViews", views_},
                       {"accessors", accessors_}};
    std::string json = root.dump();
    json.append((4 - json.size() % 4) % 4, ' ');
    std::string out = "glTF";
    AppendU32(out, 2);
    AppendU32(out, 12 + 8 + json.size() + 8 + binary_.size());
    AppendU32(out, json.size());
    out += "JSON" + json;
    AppendU32(out, binary_.size());
    out.append("BIN\0", 4);
    return out + binary_;
  }

 private:
  // glTF demands the bounds of positions.
  void AddBounds(const std::vector<float>& positions) {
    std::array<float, 3> low{}, high{};
    for (size_t i = 0; i < positions.size(); ++i) {
      low[i % 3] = i < 3 ? positions[i] : std::min(low[i % 3], positions[i]);
      high[i % 3] = i < 3 ? positions[i] : std::max(high[i % 3], positions[i]);
    }
    accessors_.back()["min"] = low;
    accessors_.back()["max"] = high;
  }

  int64_t count_;
  Json views_ = Json::array();
  Json accessors_ = Json::array();
  Json attributes_ = Json::object();
  std::string binary_;
};

std::vector<float> Values(const HostTensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

std::vector<float> RotationsXyzw(const HostTensor& quats) {
  std::vector<float> result;
  const auto q = quats.values<float>();
  for (size_t n = 0; n + 3 < q.size(); n += 4) {
    const float length =
        std::sqrt(q[n] * q[n] + q[n + 1] * q[n + 1] + q[n + 2] * q[n + 2] + q[n + 3] * q[n + 3]);
    const bool degenerate = !(length > 1e-12f);
    for (size_t i : {1, 2, 3, 0}) {
      result.push_back(degenerate ? (i == 0 ? 1.0f : 0.0f) : q[n + i] / length);
    }
  }
  return result;
}

void AddHarmonics(const HostTensor& sh, GlbBuilder& builder) {
  const auto values = sh.values<float>();
  const int64_t count = sh.shape.at(0), coefficients = sh.shape.at(1);
  for (int64_t degree = 0; degree <= kMaxDegree && degree * degree < coefficients; ++degree) {
    for (int64_t m = 0; m < 2 * degree + 1; ++m) {
      const int64_t k = degree * degree + m;
      std::vector<float> column;
      for (int64_t n = 0; n < count; ++n) {
        const auto row = values.subspan(static_cast<size_t>(3 * (n * coefficients + k)), 3);
        column.insert(column.end(), row.begin(), row.end());
      }
      builder.Add(absl::StrCat("KHR_gaussian_splatting:SH_DEGREE_", degree, "_COEF_", m), 3,
                  column);
    }
  }
}

}  // namespace

std::string SerializeGlb(const GaussianCloud& cloud) {
  std::vector<float> scales = Values(cloud.log_scales), opacities = Values(cloud.opacity_logits);
  for (float& scale : scales) scale = std::exp(scale);
  for (float& opacity : opacities) opacity = 1 / (1 + std::exp(-opacity));
  GlbBuilder builder(cloud.means.shape.at(0));
  builder.Add("POSITION", 3, Values(cloud.means));
  builder.Add("KHR_gaussian_splatting:ROTATION", 4, RotationsXyzw(cloud.quats));
  builder.Add("KHR_gaussian_splatting:SCALE", 3, scales);
  builder.Add("KHR_gaussian_splatting:OPACITY", 1, opacities);
  AddHarmonics(cloud.sh, builder);
  return builder.Finish();
}

absl::Status WriteGlb(const std::string& path, const GaussianCloud& cloud) {
  return io::WriteFileAtomic(path, SerializeGlb(cloud));
}

}  // namespace gwm
