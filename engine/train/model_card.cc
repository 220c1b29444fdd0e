#include "engine/train/model_card.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/model/layers.h"

namespace gwm {

std::string ModelCard(const WorldModel& model, const Dataset& data, const TrainOptions& options,
                      const std::string& stage) {
  std::map<std::string, std::map<std::string, int64_t>> counts;
  for (const auto& e : data.episodes) ++counts[e.task][e.kind];
  std::string card = absl::StrCat("# ", model.config.profile, "\n\n");
  absl::StrAppend(
      &card, "A Gaussian World Model: RGB-D frames become 3-D Gaussians, a ",
      model.config.tokenizer.kind, " tokenizer turns them into ", model.config.tokens(),
      " latent tokens of ", model.config.tokenizer.latent_dim,
      " numbers, an action-conditioned EDM diffusion transformer predicts the next tokens, a head "
      "predicts reward and success, ",
      model.error ? "another how far off the state may be, " : "",
      "and splatting renders any state.\n\nParameters:");
  for (const auto& [prefix, part] : model.parts()) {
    absl::StrAppend(&card, " ", prefix.substr(0, prefix.size() - 1), " ", ParameterCount(*part),
                    ",");
  }
  absl::StrAppend(&card, " trained up to: ", stage, ".\n\n");
  absl::StrAppend(&card, "## Training data\n\n", data.episodes.size(), " episodes, ", data.frames(),
                  " frames.\n\n| task | episodes by kind |\n| --- | --- |\n");
  for (const auto& [task, kinds] : counts) {
    absl::StrAppend(&card, "| ", task, " |");
    for (const auto& [kind, count] : kinds) absl::StrAppend(&card, " ", kind, " ", count);
    absl::StrAppend(&card, " |\n");
  }
  absl::StrAppendFormat(&card,
                        "\n## Training\n\nUpdates x batch: tokenizer %d x %d, dynamics %d x %d, "
                        "reward %d x %d, error "
                        "%d x %d; seed %d. All numbers: `config.json` (model) and below "
                        "(training).\n\n```json\n%s```\n",
                        options.vae.steps, options.vae.batch, options.dynamics.steps,
                        options.dynamics.batch, options.reward.steps, options.reward.batch,
                        options.error.steps, options.error.batch, options.seed,
                        TrainOptionsToJson(options));
  return card;
}

}  // namespace gwm
