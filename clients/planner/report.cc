#include "clients/planner/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace gwm::planner {
namespace {

constexpr double kNormal95 = 1.959964;  // two-sided

// Wilson 1927: does not collapse to a point at 0 or 1, as the normal interval does.
std::pair<double, double> Wilson(double rate, double trials) {
  const double square = kNormal95 * kNormal95;
  const double scale = 1 + square / trials;
  const double centre = (rate + square / (2 * trials)) / scale;
  const double half =
      kNormal95 / scale * std::sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace

Score ScoreOf(const std::vector<Episode>& episodes) {
  Score score;
  const auto count = static_cast<double>(episodes.size());
  for (const Episode& episode : episodes) {
    score.return_mean += episode.episode_return / count;
    score.success_rate += (episode.success ? 1.0 : 0.0) / count;
  }
  double squares = 0;
  for (const Episode& episode : episodes) {
    squares += std::pow(episode.episode_return - score.return_mean, 2);
  }
  if (count > 1) score.return_std = std::sqrt(squares / (count - 1));
  score.success_interval = Wilson(score.success_rate, count);
  return score;
}

std::string Line(const std::vector<Episode>& episodes) {
  const Score score = ScoreOf(episodes);
  const auto count = static_cast<double>(episodes.size());
  return absl::StrFormat("return %.1f (std %.1f), success %.0f/%.0f [%.0f %%, %.0f %%]",
                         score.return_mean, score.return_std, score.success_rate * count, count,
                         100 * score.success_interval.first, 100 * score.success_interval.second);
}

nlohmann::json ToJson(const std::vector<Episode>& episodes) {
  const Score score = ScoreOf(episodes);
  nlohmann::json list = nlohmann::json::array();
  for (const Episode& episode : episodes) {
    list.push_back({{"return", episode.episode_return},
                    {"success", episode.success},
                    {"steps", episode.steps}});
  }
  return {{"return_mean", score.return_mean},
          {"return_std", score.return_std},
          {"success_rate", score.success_rate},
          {"success_interval", {score.success_interval.first, score.success_interval.second}},
          {"episodes", list}};
}

}  // namespace gwm::planner
