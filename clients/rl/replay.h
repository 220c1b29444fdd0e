// A ring of the newest transitions in host memory. Each frame is stored once; stacks of frames and
// returns over n steps are put together when a batch is sampled.
//
//   replay->Begin(/*stream=*/0, first_frames);
//   replay->Add(0, {.action = a, .reward = r, .frame = f, .terminated = false});
//   batch = replay->Sample(256, counter);
#ifndef GWM_CLIENTS_RL_REPLAY_H_
#define GWM_CLIENTS_RL_REPLAY_H_

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/base/state_file.h"
#include "clients/rl/batch.h"
#include "clients/rl/counter_random.h"

namespace gwm::rl {

struct ReplayOptions {
  std::vector<int64_t> frame_shape = {3, 64, 64};  // one frame; a vector is a frame of shape [D]
  torch::ScalarType frame_type = torch::kUInt8;    // kUInt8 or kFloat32
  int64_t frame_stack = 3;  // frames of an observation, joined along the first axis, oldest first
  int64_t action_dim = 4;
  // Places for transitions; the first frames of an episode take a place each, too.
  int64_t max_transitions = 1000000;
  int64_t max_bytes = 0;  // of all places; the tighter limit holds; 0: no limit of bytes
  int64_t n_step = 3;
  double discount = 0.99;                              // per step, in (0, 1]
  RandomStream random_stream = RandomStream::kReplay;  // another one for each replay of a run
  uint64_t seed = 0;
};

// The result of one action.
struct Step {
  torch::Tensor action;  // [A] f32
  double reward = 0;
  torch::Tensor frame;      // frame_shape, of frame_type
  bool terminated = false;  // a true end: what follows is worth nothing
  bool truncated = false;   // cut by a limit: the value of `frame` still counts
};

// Several environments may write at once, each on a stream of its own. Thread-compatible.
class Replay {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Replay>> Create(const ReplayOptions& options);

  // Starts an episode; one that is open on that stream stays as it is and counts as truncated.
  // frames: [F, ...frame_shape], oldest first, 1 <= F <= frame_stack. Transitions start from the
  // newest one; the others are its history. A missing history repeats the oldest frame.
  absl::Status Begin(int64_t stream, const torch::Tensor& frames);
  // The next step of the stream's open episode. FailedPrecondition without one, and when other
  // streams have overwritten it; InvalidArgument for wrong shapes or values that are not finite.
  absl::Status Add(int64_t stream, const Step& step);

  // Transitions that can be sampled.
  int64_t transitions() const { return transitions_; }
  int64_t places() const { return places_; }
  int64_t bytes_per_place() const;

  // `rows` transitions, uniformly with replacement: a pure function of the content, the seed and
  // `counter`. The return is r_0 + gamma r_1 + ... over n steps, fewer where the episode ends or
  // has not gone on yet; discount = gamma^steps, 0 after a termination. FailedPrecondition when
  // there are none.
  absl::StatusOr<Batch> Sample(int64_t rows, uint64_t counter) const;
  // The frames, unjoined, from which `rows` transitions start: where imagined rollouts begin.
  // -> [rows, frame_stack, ...frame_shape]
  absl::StatusOr<torch::Tensor> SampleStarts(int64_t rows, uint64_t counter) const;
  // Every transition over one step, oldest first: what a dynamics model is fitted to.
  absl::StatusOr<Batch> SingleSteps() const;

  // See WriteStateFile. Open episodes stay open.
  absl::Status Save(const std::string& path) const;
  // Replaces the content. NotFound; InvalidArgument for a damaged file or one written with other
  // options (the seed, n_step and discount may differ); then nothing has changed.
  absl::Status Restore(const std::string& path);

 private:
  explicit Replay(const ReplayOptions& options, int64_t places);

  // Frames are numbered from 0 in the order of writing; frame n lies in place n % places_.
  bool Live(int64_t number) const { return number >= oldest() && number < written_; }
  int64_t oldest() const { return std::max<int64_t>(0, written_ - places_); }
  int64_t PlaceOf(int64_t number) const { return number % places_; }
  // Has frame `number` a next frame and its whole history, and is it no history itself?
  bool Startable(int64_t number) const;
  // Makes room for one frame and links it behind `previous` (-1: none). Returns its number.
  int64_t Append(int64_t previous, const torch::Tensor& frame, bool history);
  void Evict(int64_t number);
  // Random numbers of startable frames.
  std::vector<int64_t> Draw(int64_t rows, uint64_t counter) const;
  Batch Gather(const std::vector<int64_t>& numbers, int64_t n_step) const;
  // [rows, frame_stack, ...frame_shape]: frame numbers[i] is the newest of row i.
  torch::Tensor GatherStacks(const std::vector<int64_t>& numbers) const;
  // [rows, stack * first, ...rest]
  torch::Tensor Joined(const torch::Tensor& stacks) const;
  std::map<std::string, std::string> FileMetadata() const;
  std::map<std::string, torch::Tensor> FileTensors(int64_t count) const;
  absl::Status CheckLinks(const clients::StateFile& state, int64_t written) const;
  absl::StatusOr<int64_t> CheckFile(const clients::StateFile& state) const;
  void CountTransitions();

  ReplayOptions options_;
  CounterRandom random_;
  int64_t places_;
  int64_t written_ = 0;
  int64_t transitions_ = 0;
  std::map<int64_t, int64_t> open_;  // stream -> number of its newest frame
  torch::Tensor frames_;             // [places, ...frame_shape]
  torch::Tensor actions_;            // [places, A] that led to the frame
  torch::Tensor rewards_;            // [places] f32, of that action
  torch::Tensor previous_;           // [places] i64 number of the frame before, -1: first
  torch::Tensor next_;               // [places] i64 number of the frame after, -1: none yet
  torch::Tensor flags_;              // [places] u8, bits of FrameFlag
};

}  // namespace gwm::rl

#endif  // GWM_CLIENTS_RL_REPLAY_H_
