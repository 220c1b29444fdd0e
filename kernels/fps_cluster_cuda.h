// Farthest point sampling by a thread-block cluster per cloud. Internal to the .cu files.
#ifndef GWM_KERNELS_FPS_CLUSTER_CUDA_H_
#define GWM_KERNELS_FPS_CLUSTER_CUDA_H_

#include "kernels/fps.h"

namespace gwm::kernels {

// True when it took the work, with the result of the launch in `status`. False when the points are
// not 3-D, are more than the registers of 16 blocks hold (204,800), or the device refuses the
// cluster: the caller's turn. Arguments valid, batch and samples > 0.
bool FpsClusterCuda(const FpsArgs& args, GpuStream stream, KernelStatus* status);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_FPS_CLUSTER_CUDA_H_
