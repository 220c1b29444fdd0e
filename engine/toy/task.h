// What makes one toy world different from another: its dynamics, its reward, what it looks like.
#ifndef GWM_ENGINE_TOY_TASK_H_
#define GWM_ENGINE_TOY_TASK_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/toy/scene.h"

namespace gwm::toy {

struct TaskSpec {
  std::string name;
  int action_dim = 0;                 // A, entries in [-1, 1]
  std::vector<float> least_state;     // [S] what an entry of a state may be, from ...
  std::vector<float> greatest_state;  // [S] ... to
  double control_dt_s = 0;
};

struct Transition {
  std::vector<float> next;  // [S]
  float reward = 0;
  bool ended = false;  // the episode is over: solved or failed
  bool success = false;
};

// Functions of their arguments alone.
class Task {
 public:
  virtual ~Task() = default;
  virtual const TaskSpec& spec() const = 0;
  // [S], the start of this number.
  virtual std::vector<float> Start(uint32_t index) const = 0;
  // state [S], action [A].
  virtual Transition Step(std::span<const float> state, std::span<const float> action) const = 0;
  // As many Gaussians for every state.
  virtual Scene Draw(std::span<const float> state) const = 0;
};

std::unique_ptr<Task> MakeBlocksTask();
std::unique_ptr<Task> MakeLaneStripTask();
std::unique_ptr<Task> MakePushTask();
std::unique_ptr<Task> MakeUnicycleTask();

// Floats in [0, 1) that belong to start number `index` of the task of that number: the same on
// every machine.
class StartDraws {
 public:
  StartDraws(uint32_t task, uint32_t index) : task_(task), index_(index) {}
  float Next();
  // In [from, to).
  float Between(float from, float to) { return from + (to - from) * Next(); }

 private:
  uint32_t task_, index_, count_ = 0;
};

}  // namespace gwm::toy

#endif  // GWM_ENGINE_TOY_TASK_H_
