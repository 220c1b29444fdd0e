// Which instruction set the CPU kernels use, and the resources of one call.
#ifndef GWM_KERNELS_SIMD_H_
#define GWM_KERNELS_SIMD_H_

#include <vector>

namespace gwm::kernels {

class ThreadPool;

enum class SimdLevel {
  kScalar = 0,  // the compiler's baseline (SSE2 on x86-64)
  kAvx2 = 1,
  kAvx512 = 2,  // F + BW + DQ + VL
};

// The best level that this processor and operating system run.
SimdLevel DetectSimdLevel();

// Every level that can run here, lowest first: what a test sweeps.
std::vector<SimdLevel> SupportedSimdLevels();

const char* SimdLevelName(SimdLevel level);

// How a CPU kernel runs. All levels and thread counts give the same bits (no FMA contraction, fixed
// reduction order).
struct CpuContext {
  SimdLevel simd = DetectSimdLevel();  // must be supported
  ThreadPool* pool = nullptr;          // borrowed for the call; null = the calling thread alone
};

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_SIMD_H_
