// gwm-tiny trained on toy episodes in about a minute: what the acceptance tests measure.
#ifndef GWM_TESTS_ENGINE_TRAIN_TRAINED_TOY_H_
#define GWM_TESTS_ENGINE_TRAIN_TRAINED_TOY_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/data/latent_sequences.h"
#include "engine/model/world_model.h"
#include "engine/train/rollout.h"

namespace gwm::testing {

// Pooled squared errors of images [..] against the truth, as PSNR in dB.
struct ImageScore {
  double model_db = 0;
  double baseline_db = 0;
};

// Mean squared errors of standardised latents one step ahead, over the transitions of the training
// sequences.
struct LatentScore {
  double model = 0;          // right actions
  double wrong_actions = 0;  // actions of another sequence
};

class TrainedToy {
 public:
  // Trains all three stages of gwm-tiny with this tokenizer on 8 moving and 2 still episodes.
  explicit TrainedToy(const std::string& tokenizer);

  // Frames of 4 episodes through the tokenizer, with the anchors of each episode's first frame;
  // baseline: that first frame.
  ImageScore TokenizerScore() const;
  LatentScore OneStep(const WorldModel& model) const;
  // Rollouts of 4 steps from two single frames of every moving episode; baseline: the start frame.
  ImageScore FourSteps() const;
  // Mean rendered luminance after each of 30 steps without action, relative to the first rendered
  // frame.
  std::vector<double> StillLuminance() const;
  // Predicted and true reward, termination probability and flag of every transition of the moving
  // episodes; `shift` takes the latents of a transition that many frames later.
  struct RewardTable {
    std::vector<float> predicted, truth, terminated_probability;
    std::vector<bool> terminated;
  };
  RewardTable Rewards(int64_t shift) const;

  std::unique_ptr<WorldModel>
      untrained;  // dynamics as at the start, tokenizer and normalizer trained
  std::unique_ptr<WorldModel> model;

 private:
  Dataset data_;  // the moving episodes come first
  std::vector<LatentSequence> sequences_;
};

// Correlation coefficient.
double Correlation(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace gwm::testing

#endif  // GWM_TESTS_ENGINE_TRAIN_TRAINED_TOY_H_
