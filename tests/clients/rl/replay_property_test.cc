// Replay against a plain list of episodes, over random episodes that end, are cut or go on, on
// several interleaved streams, in rings that wrap around.
#include <algorithm>
#include <map>
#include <vector>

#include "clients/rl/replay.h"
#include "tests/clients/rl/test_support.h"

namespace gwm::rl {
namespace {

struct Outcome {
  double reward = 0;
  bool terminated = false;
};

// One episode as it happened. Frames are numbered in the order of writing, over all streams.
struct Episode {
  std::vector<int64_t> frames;  // history first
  int64_t history = 0;          // frames from which nothing starts
  std::vector<Outcome> steps;   // steps[i] led to frames[history + 1 + i]
};

class Reference {
 public:
  Reference(const ReplayOptions& options, int64_t places) : options_(options), places_(places) {}

  // What Sample must give for the transition that starts at each live frame.
  struct Row {
    std::vector<float> observation, next_observation;
    double reward = 0, discount = 0;
  };
  std::map<int64_t, Row> Rows() const {
    std::map<int64_t, Row> rows;
    for (const Episode& episode : episodes) {
      for (size_t i = 0; i < episode.steps.size(); ++i) AddRow(episode, i, rows);
    }
    return rows;
  }

  std::vector<Episode> episodes;
  int64_t written = 0;

 private:
  std::vector<float> Stack(const Episode& episode, int64_t index) const {
    std::vector<float> stack;
    for (int64_t back = options_.frame_stack - 1; back >= 0; --back) {
      stack.push_back(static_cast<float>(episode.frames[std::max<int64_t>(0, index - back)]));
    }
    return stack;
  }

  void AddRow(const Episode& episode, size_t first, std::map<int64_t, Row>& rows) const {
    const int64_t index = episode.history + static_cast<int64_t>(first);
    const std::vector<float> observation = Stack(episode, index);
    const double oldest = static_cast<double>(written - places_);
    if (*std::min_element(observation.begin(), observation.end()) < oldest) return;
    Row row{.observation = observation, .discount = 1};
    size_t step = first;
    for (int64_t n = 0; n < options_.n_step && step < episode.steps.size(); ++n, ++step) {
      row.reward += row.discount * episode.steps[step].reward;
      row.discount *= options_.discount;
    }
    if (episode.steps[step - 1].terminated) row.discount = 0;
    row.next_observation = Stack(episode, episode.history + static_cast<int64_t>(step));
    rows[episode.frames[index]] = row;
  }

  ReplayOptions options_;
  int64_t places_;
};

// Draws from one written seed.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(random_.Bits(RandomStream::kShift, 0, draws_++) %
                                static_cast<uint64_t>(bound));
  }

 private:
  CounterRandom random_;
  uint64_t draws_ = 0;
};

void BeginEpisode(Replay& replay, Reference& reference, int64_t stream, int64_t frames,
                  std::map<int64_t, size_t>& open) {
  Episode episode{.history = frames - 1};
  torch::Tensor names = torch::empty({frames, 1});
  for (int64_t i = 0; i < frames; ++i) {
    names[i][0] = static_cast<float>(reference.written);
    episode.frames.push_back(reference.written++);
  }
  ASSERT_TRUE(replay.Begin(stream, names).ok());
  open[stream] = reference.episodes.size();
  reference.episodes.push_back(episode);
}

void PlayStep(Replay& replay, Reference& reference, int64_t stream, Dice& dice,
              std::map<int64_t, size_t>& open) {
  Episode& episode = reference.episodes[open.at(stream)];
  const int64_t end = dice.Below(8);  // 0: terminated, 1: truncated
  const Step step{.action = torch::full({1}, static_cast<float>(reference.written)),
                  .reward = static_cast<double>(dice.Below(10)),
                  .frame = torch::full({1}, static_cast<float>(reference.written)),
                  .terminated = end == 0,
                  .truncated = end == 1};
  const absl::Status status = replay.Add(stream, step);
  if (absl::IsFailedPrecondition(status)) {  // the other streams have gone around the ring
    ASSERT_LE(episode.frames.back(), reference.written - replay.places());
    open.erase(stream);
    return;
  }
  ASSERT_TRUE(status.ok()) << status;
  episode.frames.push_back(reference.written++);
  episode.steps.push_back({step.reward, step.terminated});
  if (end < 2) open.erase(stream);
}

void ExpectAgrees(const Replay& replay, const Reference& reference, uint64_t counter) {
  const std::map<int64_t, Reference::Row> rows = reference.Rows();
  ASSERT_EQ(replay.transitions(), static_cast<int64_t>(rows.size()));
  if (rows.empty()) return;
  const auto batch = replay.Sample(32, counter);
  ASSERT_TRUE(batch.ok()) << batch.status();
  for (int64_t i = 0; i < batch->size(); ++i) {
    const int64_t start = batch->observation[i][-1].item<int64_t>();
    const auto row = rows.find(start);
    ASSERT_NE(row, rows.end()) << "frame " << start << " starts no transition";
    EXPECT_TRUE(torch::equal(batch->observation[i], torch::tensor(row->second.observation)));
    EXPECT_TRUE(
        torch::equal(batch->next_observation[i], torch::tensor(row->second.next_observation)));
    EXPECT_NEAR(batch->reward[i].item<double>(), row->second.reward, 1e-4);
    EXPECT_NEAR(batch->discount[i].item<double>(), row->second.discount, 1e-6);
  }
}

struct Setting {
  int64_t frame_stack, n_step, places, streams;
};

class ReplayPropertyTest : public ::testing::TestWithParam<Setting> {};

TEST_P(ReplayPropertyTest, AgreesWithAListOfEpisodes) {
  const Setting setting = GetParam();
  const ReplayOptions options = {.frame_shape = {1},
                                 .frame_type = torch::kFloat32,
                                 .frame_stack = setting.frame_stack,
                                 .action_dim = 1,
                                 .max_transitions = setting.places,
                                 .n_step = setting.n_step,
                                 .discount = 0.9,
                                 .seed = 3};
  const auto replay = Replay::Create(options);
  ASSERT_TRUE(replay.ok()) << replay.status();
  Reference reference(options, setting.places);
  Dice dice(17);
  std::map<int64_t, size_t> open;
  for (int turn = 0; turn < 300; ++turn) {
    const int64_t stream = dice.Below(setting.streams);
    // Now and then an open episode is left for a new one.
    if (open.count(stream) == 0 || dice.Below(30) == 0) {
      BeginEpisode(**replay, reference, stream, 1 + dice.Below(setting.frame_stack), open);
    } else {
      PlayStep(**replay, reference, stream, dice, open);
    }
    if (turn % 5 == 0) ExpectAgrees(**replay, reference, static_cast<uint64_t>(turn));
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, ReplayPropertyTest,
                         ::testing::Values(Setting{1, 1, 1000, 1}, Setting{1, 3, 1000, 1},
                                           Setting{3, 3, 1000, 2}, Setting{3, 3, 40, 1},
                                           Setting{3, 5, 17, 3}, Setting{4, 2, 5, 1},
                                           Setting{2, 10, 3, 2}),
                         [](const auto& info) {
                           const Setting& s = info.param;
                           return "Stack" + std::to_string(s.frame_stack) + "Return" +
                                  std::to_string(s.n_step) + "Places" + std::to_string(s.places) +
                                  "Streams" + std::to_string(s.streams);
                         });

}  // namespace
}  // namespace gwm::rl
