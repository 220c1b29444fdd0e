#include "engine/model/grid_tokenizer.h"
#include "engine/model/pixel_frame.h"
#include "engine/train/losses.h"
#include "engine/train/random.h"
#include "engine/train/stages.h"
#include "engine/train/update_loss.h"

namespace gwm {
namespace {

// G reset frames and k later frames of the same episodes: reset [G, ...], target [G*k, ...] in
// group order.
struct VaeBatch {
  torch::Tensor reset_pixels, target_pixels;
  torch::Tensor intrinsics, world_from_cam;  // of the targets
  torch::Tensor group;                       // i64 [G*k]: the reset row of each target
};

// The rows of the targets' cameras that belong to the reset frames.
torch::Tensor FirstOfGroup(const VaeBatch& batch) {
  const int64_t targets = batch.group.size(0);
  return torch::arange(0, targets, targets / batch.reset_pixels.size(0), batch.group.options());
}

// The pixels with colours that render to them: what the decoder starts from and aims at.
torch::Tensor FittedPixels(const ModelConfig& config, const torch::Tensor& pixels,
                           const torch::Tensor& intrinsics, const torch::Tensor& world_from_cam) {
  if (config.tokenizer.colour_passes == 0) return pixels;
  return PixelsFromScene(
      FitToOwnViews(SceneFromPixels(pixels, intrinsics, world_from_cam, config.gaussian_size),
                    config.tokenizer.colour_passes));
}

VaeBatch DrawBatch(const Dataset& data, const ModelConfig& config, int64_t groups,
                   int64_t per_group, torch::Generator& g, torch::Device device) {
  std::vector<torch::Tensor> resets, targets, intrinsics, poses;
  for (int64_t i = 0; i < groups; ++i) {
    const auto e = static_cast<size_t>(DrawInt(0, static_cast<int64_t>(data.episodes.size()), g));
    const int64_t frames = data.episodes[e].frames();
    const int64_t reset = DrawInt(0, frames, g);
    // Half of the targets lie within a short rollout of the reset frame, the rest anywhere after
    // it.
    std::vector<int64_t> wanted = {reset};
    for (int64_t k = 0; k < per_group; ++k) {
      const int64_t reach = DrawUniform(g) < 0.5 ? std::min<int64_t>(frames, reset + 21) : frames;
      wanted.push_back(DrawInt(reset, reach, g));
    }
    auto pixels = data.Pixels(e, torch::tensor(wanted, torch::kLong), config.far_m);
    resets.push_back(pixels.narrow(0, 0, 1));
    targets.push_back(pixels.narrow(0, 1, per_group));
    intrinsics.push_back(data.episodes[e].intrinsics.unsqueeze(0).expand({per_group, -1, -1, -1}));
    poses.push_back(data.episodes[e].world_from_cam.unsqueeze(0).expand({per_group, -1, -1, -1}));
  }
  VaeBatch batch;
  batch.reset_pixels = torch::cat(resets).to(device);
  batch.target_pixels = torch::cat(targets).to(device);
  batch.intrinsics = torch::cat(intrinsics).to(device);
  batch.world_from_cam = torch::cat(poses).to(device);
  batch.group = torch::arange(groups, torch::kLong).repeat_interleave(per_group).to(device);
  return batch;
}

// Reparametrised sample whose noise never falls below `floor`: the decoder must bear the errors of
// the dynamics.
torch::Tensor SampleLatents(const Posterior& posterior, double floor, torch::Generator& g) {
  auto std = torch::exp(0.5 * posterior.log_var).clamp_min(floor);
  return posterior.mean + std * DrawNormal(posterior.mean.sizes(), g, posterior.mean.device());
}

LossTerms GridLoss(GridTokenizer& tokenizer, const ModelConfig& config, const VaeBatch& batch,
                   const VaeLossOptions& o, torch::Generator& g) {
  std::vector<torch::Tensor> skips;
  auto reset = tokenizer.EncodePixels(batch.reset_pixels, &skips);
  auto posterior = tokenizer.EncodePixels(batch.target_pixels);
  auto spread = [&](const torch::Tensor& x) { return x.index_select(0, batch.group); };
  const int64_t views = batch.reset_pixels.size(1);
  for (auto& skip : skips) skip = spread(skip.unflatten(0, {-1, views})).flatten(0, 1);
  auto latents = SampleLatents(posterior, config.tokenizer.latent_noise, g);
  const auto first = FirstOfGroup(batch);
  const auto kept =
      FittedPixels(config, batch.reset_pixels, batch.intrinsics.index_select(0, first),
                   batch.world_from_cam.index_select(0, first));
  const auto wanted =
      FittedPixels(config, batch.target_pixels, batch.intrinsics, batch.world_from_cam);
  auto decoded = tokenizer.DecodePixels(latents, spread(kept), spread(reset.mean), skips);
  auto weight = ChangedWeight(batch.target_pixels, spread(batch.reset_pixels), o.changed_weight);
  auto pixel = PixelLoss(decoded.pixels, wanted, weight, o.depth);
  auto kl = KlLoss(posterior) + KlLoss(reset);
  auto total = pixel + o.kl * kl;
  LossTerms terms = {{"loss", total}, {"pixel", pixel}, {"kl", kl}};
  if (o.rendered > 0 && o.rendered_rows > 0) {
    const int64_t rows = std::min(o.rendered_rows, decoded.pixels.size(0));
    auto some = [&](const torch::Tensor& x) { return x.narrow(0, 0, rows); };
    SceneBatch scene{
        {}, some(batch.intrinsics), some(batch.world_from_cam), config.height, config.width};
    auto gaussians = GaussiansFromPixels(some(decoded.pixels), scene, config.gaussian_size);
    auto rendered = RenderedLoss(gaussians, scene, batch.target_pixels, weight, rows);
    terms[0].second = total + o.rendered * rendered;
    terms.emplace_back("rendered", rendered);
  }
  return terms;
}

LossTerms SetLoss(Tokenizer& tokenizer, const ModelConfig& config, const VaeBatch& batch,
                  const VaeLossOptions& o, torch::Generator& g) {
  const auto first_of_group = FirstOfGroup(batch);
  auto resets =
      SceneFromPixels(batch.reset_pixels, batch.intrinsics.index_select(0, first_of_group),
                      batch.world_from_cam.index_select(0, first_of_group), config.gaussian_size);
  auto anchors = tokenizer.ChooseAnchors(resets);
  anchors = anchors.Select(batch.group);
  auto scene = SceneFromPixels(batch.target_pixels, batch.intrinsics, batch.world_from_cam,
                               config.gaussian_size);
  auto posterior = tokenizer.Encode(scene, anchors);
  auto decoded =
      tokenizer.Decode(SampleLatents(posterior, config.tokenizer.latent_noise, g), anchors);
  // Gaussians of the reset frame answer for the pixels that they were taken from.
  auto kept = anchors.reset;
  kept.gaussians = decoded.Slice(0, scene.gaussians.count());
  auto fresh = decoded.Slice(scene.gaussians.count(), decoded.count());
  auto weight = ChangedWeight(batch.target_pixels, batch.reset_pixels.index_select(0, batch.group),
                              o.changed_weight);
  const auto wanted =
      FittedPixels(config, batch.target_pixels, batch.intrinsics, batch.world_from_cam);
  auto pixel = PixelLoss(PixelsFromScene(kept), wanted, weight, o.depth);
  const int64_t rows = std::min(o.rendered_rows, batch.group.size(0));
  auto rendered = RenderedLoss(decoded, scene, batch.target_pixels, weight, rows);
  auto kl = KlLoss(posterior);
  auto total = pixel + o.rendered * rendered + o.kl * kl;
  LossTerms terms = {{"loss", total}, {"pixel", pixel}, {"rendered", rendered}, {"kl", kl}};
  if (o.chamfer > 0) {
    auto chamfer =
        ChamferLoss(ContractPositions(fresh.means), ContractPositions(scene.gaussians.means));
    terms[0].second = terms[0].second + o.chamfer * chamfer;
    terms.emplace_back("chamfer", chamfer);
  }
  if (o.matched > 0) {
    auto matched = MatchedFeatureLoss(fresh, scene.gaussians);
    terms[0].second = terms[0].second + o.matched * matched;
    terms.emplace_back("matched", matched);
  }
  return terms;
}

}  // namespace

LossTerms TokenizerLoss(WorldModel& model, const Dataset& data, const TrainOptions& options,
                        int64_t rows, torch::Generator& g) {
  const int64_t per_group = std::max<int64_t>(1, options.vae_loss.frames_per_reset);
  const int64_t groups = std::max<int64_t>(1, rows / per_group);
  const auto batch = DrawBatch(data, model.config, groups, per_group, g, model.device());
  auto* grid = dynamic_cast<GridTokenizer*>(model.tokenizer.get());
  return grid != nullptr ? GridLoss(*grid, model.config, batch, options.vae_loss, g)
                         : SetLoss(*model.tokenizer, model.config, batch, options.vae_loss, g);
}

absl::Status TrainTokenizer(WorldModel& model, const Dataset& data, const TrainOptions& options,
                            const StagePaths& paths) {
  auto run = RunOf("vae", options.vae, options, paths);
  run.loss = [&](int64_t, torch::Generator& g) {
    return TokenizerLoss(model, data, options, options.vae.batch / options.vae.shards, g);
  };
  return RunStage(*model.tokenizer, run);
}

}  // namespace gwm
