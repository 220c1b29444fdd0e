// Runs the threads of a CUDA kernel on one CPU thread: each is a fiber that runs until it waits at
// a barrier.
//
// Blocks (or clusters of blocks) run one after another; shared memory starts as 0xFF bytes (NaN).
// What a device would leave undefined is a fault: a thread that ends or waits elsewhere while
// others wait at a barrier, a shuffle without the whole warp, distributed shared memory of a block
// that has not started or has ended. A fault ends the launch. Races show only when the order of
// threads changes the result: run the tests in both orders.
#ifndef GWM_TESTS_KERNELS_CUDA_ON_CPU_SCHEDULER_H_
#define GWM_TESTS_KERNELS_CUDA_ON_CPU_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <string>

namespace gwm::cuda_on_cpu {

enum class ThreadOrder { kAscending, kShuffled };
ThreadOrder SetThreadOrder(ThreadOrder order);  // returns the one before

struct LaunchShape {
  unsigned blocks = 1;
  unsigned threads = 32;  // per block, a multiple of 32, at most 1024
  unsigned cluster = 1;   // blocks per cluster
};

// Runs `thread` once per thread. Returns the fault, empty = none.
std::string RunKernel(const LaunchShape& shape, const std::function<void()>& thread);

// The rest is called from within a thread of a kernel. `operation` must be a literal: threads that
// wait must wait at the same one.
void WaitForWarp(const char* operation);
void WaitForBlock(const char* operation);
void WaitForCluster(const char* operation);
void RequireFullWarp(unsigned mask, const char* operation);
// Values that the 32 lanes gave; valid until the second next exchange.
const uint64_t* ExchangeInWarp(uint64_t value, const char* operation);
int CountInBlock(bool predicate, const char* operation);

unsigned ClusterRank();
unsigned ClusterSize();
void* SharedOfBlock(void* variable, unsigned rank);

}  // namespace gwm::cuda_on_cpu

#endif  // GWM_TESTS_KERNELS_CUDA_ON_CPU_SCHEDULER_H_
