// Thread-block clusters for kernels that run on the CPU: see cuda_runtime.h beside this file.
#ifndef GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_COOPERATIVE_GROUPS_H_
#define GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_COOPERATIVE_GROUPS_H_

#include "tests/kernels/cuda_on_cpu/scheduler.h"

namespace cooperative_groups {

struct cluster_group {
  void sync() const { gwm::cuda_on_cpu::WaitForCluster("cluster.sync"); }
  unsigned block_rank() const { return gwm::cuda_on_cpu::ClusterRank(); }
  unsigned num_blocks() const { return gwm::cuda_on_cpu::ClusterSize(); }
  // Valid until the next barrier of any kind.
  template <typename T>
  T* map_shared_rank(T* variable, unsigned rank) const {
    return static_cast<T*>(gwm::cuda_on_cpu::SharedOfBlock(variable, rank));
  }
};

inline cluster_group this_cluster() { return {}; }

}  // namespace cooperative_groups

#endif  // GWM_TESTS_KERNELS_CUDA_ON_CPU_INCLUDE_COOPERATIVE_GROUPS_H_
