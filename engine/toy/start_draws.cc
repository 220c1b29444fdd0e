#include "engine/toy/task.h"
#include "kernels/philox.h"

namespace gwm::toy {

float StartDraws::Next() {
  const kernels::PhiloxBlock block = kernels::Philox4x32({{count_++, 0, 0, 0}}, index_, task_);
  return kernels::UniformFromBits(block.v[0]);
}

}  // namespace gwm::toy
