// gwm-plan: controls a real environment by planning on a model. See kUsage.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "clients/planner/control.h"
#include "clients/planner/model_world.h"
#include "clients/planner/real_world.h"
#include "clients/planner/report.h"
#include "clients/rl/planner.h"
#include "engine/io/progress.h"
#include "gwm/client.h"

ABSL_FLAG(std::string, real, "127.0.0.1:50052", "environment to control: HOST:PORT or unix:PATH");
ABSL_FLAG(std::string, model, "127.0.0.1:50051", "server to plan on: HOST:PORT or unix:PATH");
ABSL_FLAG(
    std::string, follow, "frames",
    "how the model learns where the environment is: frames (any model) or state (the same kind "
    "of world on both servers: the exact simulator)");
ABSL_FLAG(std::string, policy, "plan", "what acts: plan or random");
ABSL_FLAG(std::string, planner, "mppi", "mppi or cem");
ABSL_FLAG(int, horizon, 5, "steps of a sequence");
ABSL_FLAG(int, samples, 64, "sequences per iteration");
ABSL_FLAG(int, elites, 8, "of them, that the next iteration follows");
ABSL_FLAG(int, iterations, 3, "rounds of sampling per step");
ABSL_FLAG(double, temperature, 0.5, "of the elites' weights: larger follows the best more closely");
ABSL_FLAG(double, least_std, 0.05, "least standard deviation of the samples");
ABSL_FLAG(double, most_std, 1, "greatest, and that of the first iteration");
ABSL_FLAG(double, momentum, 0.1, "share of the former mean that an iteration keeps");
ABSL_FLAG(double, discount, 1, "of the reward of each further step");
ABSL_FLAG(double, success_bonus, 0, "added to the return of a sequence that meets the goal");
ABSL_FLAG(int, episodes, 10, "episodes");
ABSL_FLAG(int, steps, 100, "steps of an episode at most");
ABSL_FLAG(uint64_t, seed, 0, "episode i starts from seed + i; also of the planner's draws");
ABSL_FLAG(std::string, out, "", "report to write (JSON); empty: print only");

namespace {

using gwm::planner::Act;
using gwm::planner::Episode;
using gwm::planner::Follow;
using gwm::planner::ModelWorld;
using gwm::planner::RealWorld;

constexpr char kUsage[] =
    "controls a real environment by trying action sequences on a model (Simulator.Plan).\n\n"
    "  gwm serve-env --env metaworld:plate-slide-v3 --listen 127.0.0.1:50052\n"
    "  gwm-server --checkpoint=checkpoints/gwm-small --listen=127.0.0.1:50051\n"
    "  gwm-plan --real=127.0.0.1:50052 --model=127.0.0.1:50051 --episodes=5 --out=plan.json\n"
    "      a learned world plans for the simulator that it was learnt from\n"
    "  gwm-plan --policy=random --real=127.0.0.1:50052 --episodes=5\n"
    "      the trivial baseline\n"
    "  gwm-server --toy=push --listen=unix:/tmp/push.sock\n"
    "  gwm-plan --real=unix:/tmp/push.sock --model=unix:/tmp/push.sock --follow=state\n"
    "      the exact simulator plans: the bound for any model of it\n\n"
    "Exit status: 0 done, 1 a server refused or the plan failed, 2 bad usage.";
constexpr auto kConnectTimeout = std::chrono::seconds(20);

struct BadUsage {
  std::string message;
};

template <typename T>
T OneOf(const std::string& flag, const std::string& value,
        std::initializer_list<std::pair<const char*, T>> choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value == name) return choice;
    names += std::string(names.empty() ? "" : " or ") + name;
  }
  throw BadUsage{absl::StrFormat("--%s is '%s'; allowed: %s", flag, value, names)};
}

gwm::rl::PlannerOptions PlannerFlags(int64_t action_dim) {
  using gwm::rl::PlannerKind;
  gwm::rl::PlannerOptions options;
  options.kind = OneOf<PlannerKind>("planner", absl::GetFlag(FLAGS_planner),
                                    {{"mppi", PlannerKind::kMppi}, {"cem", PlannerKind::kCem}});
  options.action_dim = action_dim;
  options.horizon = absl::GetFlag(FLAGS_horizon);
  options.samples = absl::GetFlag(FLAGS_samples);
  options.elites = absl::GetFlag(FLAGS_elites);
  options.iterations = absl::GetFlag(FLAGS_iterations);
  options.temperature = absl::GetFlag(FLAGS_temperature);
  options.least_std = absl::GetFlag(FLAGS_least_std);
  options.most_std = absl::GetFlag(FLAGS_most_std);
  options.momentum = absl::GetFlag(FLAGS_momentum);
  options.seed = absl::GetFlag(FLAGS_seed);
  return options;
}

gwm::planner::ModelWorldOptions ModelFlags() {
  return {.follow = OneOf<Follow>("follow", absl::GetFlag(FLAGS_follow),
                                  {{"frames", Follow::kFrames}, {"state", Follow::kState}}),
          .discount = absl::GetFlag(FLAGS_discount),
          .success_bonus = absl::GetFlag(FLAGS_success_bonus),
          .seed = absl::GetFlag(FLAGS_seed)};
}

// The model and the planner on it; both empty for random actions.
struct Controller {
  std::unique_ptr<gwm::client::Client> client;
  std::unique_ptr<ModelWorld> model;
  std::unique_ptr<gwm::rl::Planner> planner;
};

absl::StatusOr<Controller> OpenController(const gwm::client::Spec& real) {
  Controller controller;
  const bool plans =
      OneOf<bool>("policy", absl::GetFlag(FLAGS_policy), {{"plan", true}, {"random", false}});
  if (!plans) return controller;
  auto planner = gwm::rl::Planner::Create(PlannerFlags(real.action.shape.at(0)));
  if (!planner.ok()) throw BadUsage{std::string(planner.status().message())};
  controller.planner = *std::move(planner);
  controller.client = std::make_unique<gwm::client::Client>(absl::GetFlag(FLAGS_model));
  controller.client->WaitUntilConnected(kConnectTimeout);
  controller.model = std::make_unique<ModelWorld>(*controller.client, ModelFlags());
  const int64_t entries = controller.model->spec().action.shape.at(0);
  if (entries != real.action.shape.at(0)) {
    throw BadUsage{absl::StrFormat("the environment takes actions of %d entries, the model of %d",
                                   real.action.shape.at(0), entries)};
  }
  return controller;
}

absl::StatusOr<std::vector<Episode>> RunEpisodes(RealWorld& real, const Act& act) {
  const int64_t count = absl::GetFlag(FLAGS_episodes);
  const int64_t steps = absl::GetFlag(FLAGS_steps);
  if (count < 1 || steps < 1) throw BadUsage{"--episodes and --steps must be 1 or more"};
  gwm::io::Progress progress({.label = absl::GetFlag(FLAGS_policy), .total = count * steps});
  std::vector<Episode> episodes;
  for (int64_t index = 0; index < count; ++index) {
    int64_t done = index * steps;
    auto episode = gwm::planner::RunEpisode(
        real, act, index, absl::GetFlag(FLAGS_seed) + static_cast<uint64_t>(index), steps,
        [&] { progress.Update(++done); });
    if (!episode.ok()) return episode.status();
    episodes.push_back(*episode);
    progress.Update((index + 1) * steps, gwm::planner::Line(episodes));
  }
  progress.Finish();
  return episodes;
}

// Before the episodes: they may take hours. Opens nothing without --out.
std::ofstream OpenReport() {
  const std::string path = absl::GetFlag(FLAGS_out);
  std::ofstream file;
  if (path.empty()) return file;
  file.open(path);
  if (!file) throw BadUsage{absl::StrFormat("--out: cannot write '%s'", path)};
  return file;
}

void WriteReport(std::ofstream& file, const RealWorld& real, const Controller& controller,
                 const std::vector<Episode>& episodes, double seconds) {
  nlohmann::json report = gwm::planner::ToJson(episodes);
  report["environment"] = real.spec().model_id;
  report["policy"] = absl::GetFlag(FLAGS_policy);
  report["seed"] = absl::GetFlag(FLAGS_seed);
  report["seconds"] = seconds;
  if (controller.model != nullptr) {
    const auto imagined = static_cast<double>(controller.model->imagined_steps());
    report["model"] = controller.model->spec().model_id;
    report["checkpoint_digest"] = controller.model->spec().checkpoint_digest;
    report["planner"] = absl::GetFlag(FLAGS_planner);
    report["horizon"] = absl::GetFlag(FLAGS_horizon);
    report["samples"] = absl::GetFlag(FLAGS_samples);
    report["iterations"] = absl::GetFlag(FLAGS_iterations);
    report["imagined_steps"] = controller.model->imagined_steps();
    report["imagined_steps_per_second"] = imagined / seconds;
  }
  std::printf("%s\n", gwm::planner::Line(episodes).c_str());
  if (!file.is_open()) return;
  file << report.dump(2) << "\n";
  if (!file.flush()) throw BadUsage{"--out: the report could not be written"};
}

int Run() {
  std::ofstream report = OpenReport();
  gwm::client::Client client(absl::GetFlag(FLAGS_real));
  client.WaitUntilConnected(kConnectTimeout);
  absl::StatusOr<Controller> controller = OpenController(client.GetSpec());
  if (!controller.ok()) {
    std::fprintf(stderr, "gwm-plan: %s\n", std::string(controller.status().message()).c_str());
    return 1;
  }
  ModelWorld* model = controller->model.get();
  RealWorld real(client, absl::GetFlag(FLAGS_seed), model == nullptr ? 0 : model->context_frames());
  const Act act =
      model == nullptr
          ? gwm::planner::RandomActions(absl::GetFlag(FLAGS_seed), real.spec().action.shape.at(0))
          : gwm::planner::PlannedActions(real, *model, *controller->planner);
  const auto start = std::chrono::steady_clock::now();
  const auto episodes = RunEpisodes(real, act);
  if (!episodes.ok()) {
    std::fprintf(stderr, "gwm-plan: %s\n", std::string(episodes.status().message()).c_str());
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  WriteReport(report, real, *controller, *episodes, took.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "gwm_plan.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  try {
    if (rest.size() > 1) throw BadUsage{absl::StrFormat("'%s' is no flag; try --help", rest[1])};
    return Run();
  } catch (const BadUsage& bad) {
    std::fprintf(stderr, "gwm-plan: %s\n", bad.message.c_str());
    return 2;
  } catch (const gwm::client::Error& error) {
    std::fprintf(stderr, "gwm-plan: %s\n", error.what());
    return 1;
  }
}
