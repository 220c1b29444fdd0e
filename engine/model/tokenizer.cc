#include "engine/model/tokenizer.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "engine/model/grid_tokenizer.h"
#include "engine/model/set_tokenizer.h"

namespace gwm {
namespace {

// Applies `pick` to every tensor of the anchors.
template <typename Pick>
Anchors MapTensors(const Anchors& anchors, Pick pick) {
  Anchors out = anchors;
  out.centres = pick(anchors.centres);
  out.latents = pick(anchors.latents);
  auto& g = out.reset.gaussians;
  for (torch::Tensor* tensor : {&g.means, &g.log_scales, &g.quats, &g.sh, &g.opacity_logits,
                                &out.reset.intrinsics, &out.reset.world_from_cam}) {
    *tensor = pick(*tensor);
  }
  for (auto& tensor : out.cache) tensor = pick(tensor);
  return out;
}

std::vector<const torch::Tensor*> AllTensors(const Anchors& anchors) {
  const auto& g = anchors.reset.gaussians;
  std::vector<const torch::Tensor*> tensors = {&anchors.centres,
                                               &anchors.latents,
                                               &g.means,
                                               &g.log_scales,
                                               &g.quats,
                                               &g.sh,
                                               &g.opacity_logits,
                                               &anchors.reset.intrinsics,
                                               &anchors.reset.world_from_cam};
  for (const auto& tensor : anchors.cache) tensors.push_back(&tensor);
  return tensors;
}

}  // namespace

SceneBatch SceneTo(const SceneBatch& scene, torch::Device device) {
  return {scene.gaussians.To(device), scene.intrinsics.to(device), scene.world_from_cam.to(device),
          scene.height, scene.width};
}

Anchors Anchors::Row(int64_t row) const {
  return MapTensors(*this, [&](const torch::Tensor& x) { return x.narrow(0, row, 1); });
}

Anchors Anchors::Select(const torch::Tensor& index) const {
  return MapTensors(*this, [&](const torch::Tensor& x) { return x.index_select(0, index); });
}

Anchors Anchors::Stack(const std::vector<Anchors>& rows) {
  if (rows.size() == 1) return rows[0];
  std::vector<std::vector<torch::Tensor>> columns;
  for (const Anchors& row : rows) {
    const auto tensors = AllTensors(row);
    columns.resize(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) columns[i].push_back(*tensors[i]);
  }
  size_t next = 0;
  // MapTensors visits in the order of its own list; both lists name centres and latents first, then
  // the scene, then the cache.
  return MapTensors(rows[0], [&](const torch::Tensor&) { return torch::cat(columns[next++]); });
}

absl::StatusOr<std::shared_ptr<Tokenizer>> MakeTokenizer(const ModelConfig& config) {
  const auto& t = config.tokenizer;
  if (t.kind == "set") {
    if (t.width % t.heads != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "config: tokenizer.width ", t.width, " is no multiple of tokenizer.heads ", t.heads));
    }
    return std::make_shared<SetTokenizer>(config);
  }
  if (t.kind != "grid") {
    return absl::InvalidArgumentError(
        absl::StrCat("config: tokenizer.kind is '", t.kind, "'; allowed are 'grid' and 'set'"));
  }
  if (t.patch < 4 || !std::has_single_bit(static_cast<uint64_t>(t.patch))) {
    return absl::InvalidArgumentError(
        absl::StrCat("config: tokenizer.patch is ", t.patch, "; allowed are powers of two from 4"));
  }
  if (config.height % t.patch != 0 || config.width % t.patch != 0) {
    return absl::InvalidArgumentError(absl::StrCat("config: images of ", config.height, "x",
                                                   config.width, " are no multiple of patch ",
                                                   t.patch));
  }
  return std::make_shared<GridTokenizer>(config);
}

}  // namespace gwm
