// Files and pictures: 3DGS .ply, image metrics.
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "engine/base/tensor_convert.h"
#include "engine/scene/image_metrics.h"
#include "engine/scene/ply.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

namespace fs = std::filesystem;

// The file beside the case: same stem, or the name in the parameters.
std::string PlyPath(const Case& golden) {
  const fs::path sibling = fs::path(golden.path()).replace_extension(".ply");
  if (fs::exists(sibling)) return sibling.string();
  const auto named = golden.ParamOr<std::string>("file", "");
  if (named.empty()) throw std::runtime_error("no file " + sibling.string());
  return (sibling.parent_path() / named).string();
}

bool IsNormal(const std::string& name) { return name == "nx" || name == "ny" || name == "nz"; }

// One column of the vertex table by its property name: [N].
torch::Tensor Column(const std::string& name, const GaussianCloud& cloud) {
  const torch::Tensor sh = ToTorch(cloud.sh), means = ToTorch(cloud.means);
  auto index = [&](size_t prefix) { return std::stoll(name.substr(prefix)); };
  if (name == "x" || name == "y" || name == "z") return means.select(1, name[0] - 'x');
  if (name == "opacity") return ToTorch(cloud.opacity_logits);
  if (name.starts_with("f_dc_")) return sh.select(1, 0).select(1, index(5));
  if (name.starts_with("f_rest_")) {
    const int64_t rest = sh.size(1) - 1;
    return sh.select(1, 1 + index(7) % rest).select(1, index(7) / rest);
  }
  if (name.starts_with("scale_")) return ToTorch(cloud.log_scales).select(1, index(6));
  if (name.starts_with("rot_")) return ToTorch(cloud.quats).select(1, index(4));
  if (IsNormal(name)) return torch::zeros({means.size(0)});
  throw std::invalid_argument("no vertex property '" + name + "' in a 3DGS file");
}

torch::Tensor VertexTable(const GaussianCloud& cloud, const std::vector<std::string>& properties) {
  std::vector<torch::Tensor> columns;
  for (const std::string& name : properties) columns.push_back(Column(name, cloud));
  return torch::stack(columns, 1);
}

// The order in which the public exporters write the properties.
std::vector<std::string> StandardOrder(const GaussianCloud& cloud) {
  std::vector<std::string> names = {"x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2"};
  const int64_t rest = 3 * (ToTorch(cloud.sh).size(1) - 1);
  for (int64_t i = 0; i < rest; ++i) names.push_back("f_rest_" + std::to_string(i));
  names.insert(names.end(), {"opacity", "scale_0", "scale_1", "scale_2"});
  names.insert(names.end(), {"rot_0", "rot_1", "rot_2", "rot_3"});
  return names;
}

// out.table holds the vertices with the file's columns, or with the standard ones for a file in
// another order.
void CheckTable(Case& golden, const GaussianCloud& cloud, const Tolerance& tolerance) {
  const torch::Tensor reference = golden.Find("out.table");
  if (!reference.defined()) return;
  const torch::Tensor standard = VertexTable(cloud, StandardOrder(cloud));
  const bool same_shape = standard.sizes() == reference.sizes();
  const bool is_standard = same_shape && Compare(standard, reference, tolerance).met;
  const auto properties = golden.ParamOr<std::vector<std::string>>("properties", {});
  golden.Check("out.table",
               is_standard || properties.empty() ? standard : VertexTable(cloud, properties),
               tolerance);
}

void RunPly(Case& golden) {
  const absl::StatusOr<GaussianCloud> cloud = ReadPly(PlyPath(golden));
  if (!cloud.ok()) throw std::runtime_error(std::string(cloud.status().message()));
  const Tolerance tolerance = golden.tolerance().General({});
  const torch::Tensor sh = ToTorch(cloud->sh);
  golden.Check("out.means", ToTorch(cloud->means), tolerance);
  golden.Check("out.log_scales", ToTorch(cloud->log_scales), tolerance);
  golden.Check("out.quats_wxyz", ToTorch(cloud->quats), tolerance);
  golden.Check("out.opacity_logits", ToTorch(cloud->opacity_logits), tolerance);
  golden.Check("out.sh0", sh.select(1, 0), tolerance);
  golden.Check("out.shN", sh.narrow(1, 1, sh.size(1) - 1), tolerance);
  CheckTable(golden, *cloud, tolerance);
}

void RunImageMetrics(Case& golden) {
  const bool usual = golden.ParamOr("window", 11) == 11 && golden.ParamOr("sigma", 1.5) == 1.5 &&
                     golden.ParamOr("K1", 0.01) == 0.01 && golden.ParamOr("K2", 0.03) == 0.03;
  if (!usual)
    throw std::invalid_argument("another SSIM window or constants than 11, 1.5, 0.01, 0.03");
  const auto range = golden.ParamOr("data_range", 1.0);
  const torch::Tensor a = golden.Get("in.a"), b = golden.Get("in.b");
  const torch::Tensor unit_a = a / range, unit_b = b / range;
  const ToleranceText& text = golden.tolerance();
  const Tolerance psnr = text.For({"psnr"}, {1e-3, 0}), ssim = text.For({"ssim"}, {2e-5, 0});
  const Tolerance map = text.For({"map"}, {1e-4, 0});
  const Tolerance error{1e-6, 1e-5};  // not named by the text
  golden.Check("out.mse", Mse(a, b), error);
  golden.Check("out.l1", L1(a, b), error);
  golden.Check("out.psnr", Psnr(unit_a, unit_b), psnr);
  golden.Check("out.psnr_torchmetrics", Psnr(unit_a, unit_b), psnr);
  golden.Check("out.ssim_skimage", Ssim(unit_a, unit_b, SsimBorder::kCrop), ssim);
  golden.Check("out.ssim_torchmetrics", Ssim(unit_a, unit_b, SsimBorder::kReflect), ssim);
  golden.Check("out.ssim_map_skimage", SsimMap(unit_a, unit_b, SsimBorder::kSymmetric), map);
}

}  // namespace

std::vector<Op> FileOps() { return {{"ply", RunPly}, {"image_metrics", RunImageMetrics}}; }

}  // namespace gwm::golden
