// That the scheduler finds what it is there to find.
#include "tests/kernels/cuda_on_cpu/scheduler.h"

#include <cooperative_groups.h>
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace gwm::cuda_on_cpu {
namespace {

using testing::Test;

// Runs in the order it is told and puts the flag of the program back.
class CudaOnCpuTest : public Test {
 protected:
  void SetUp() override { before_ = SetThreadOrder(ThreadOrder::kAscending); }
  void TearDown() override { SetThreadOrder(before_); }

 private:
  ThreadOrder before_ = ThreadOrder::kAscending;
};

TEST_F(CudaOnCpuTest, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> runs(3 * 64);
  EXPECT_EQ(RunKernel({.blocks = 3, .threads = 64},
                      [&] { ++runs[blockIdx.x * blockDim.x + threadIdx.x]; }),
            "");
  EXPECT_EQ(runs, std::vector<int>(3 * 64, 1));
}

TEST_F(CudaOnCpuTest, AThreadThatEndsBeforeABarrierIsAFault) {
  const std::string fault = RunKernel({.threads = 64}, [] {
    if (threadIdx.x != 40) __syncthreads();
  });
  EXPECT_NE(fault.find("threads diverge"), std::string::npos) << fault;
}

TEST_F(CudaOnCpuTest, ThreadsAtDifferentBarriersAreAFault) {
  const std::string fault = RunKernel({.threads = 64}, [] {
    if (threadIdx.x < 32) {
      __syncthreads();
    } else {
      __syncthreads_count(1);
    }
  });
  EXPECT_NE(fault.find("threads diverge"), std::string::npos) << fault;
}

TEST_F(CudaOnCpuTest, LanesAtDifferentShufflesAreAFault) {
  const std::string fault = RunKernel({.threads = 32}, [] {
    if (threadIdx.x == 3) {
      __syncwarp();
    } else {
      __shfl_sync(0xFFFFFFFFu, 1, 0);
    }
  });
  EXPECT_NE(fault.find("threads diverge"), std::string::npos) << fault;
}

TEST_F(CudaOnCpuTest, AShuffleOfPartOfAWarpIsAFault) {
  const std::string fault = RunKernel({.threads = 32}, [] { __shfl_xor_sync(0xFFFFu, 1.0f, 1); });
  EXPECT_NE(fault.find("part of a warp"), std::string::npos) << fault;
}

TEST_F(CudaOnCpuTest, SharedMemoryStartsAsNanInEveryBlock) {
  int nans = 0;
  EXPECT_EQ(RunKernel({.blocks = 2, .threads = 32},
                      [&] {
                        __shared__ float values[32];
                        nans += std::isnan(values[threadIdx.x]) ? 1 : 0;
                        values[threadIdx.x] = 1;
                      }),
            "");
  EXPECT_EQ(nans, 64);
}

TEST_F(CudaOnCpuTest, ShuffledThreadsShowAMissingBarrier) {
  bool right = true;
  const auto kernel = [&] {
    __shared__ unsigned values[64];
    values[threadIdx.x] = threadIdx.x;
    if (threadIdx.x > 0) right &= values[threadIdx.x - 1] == threadIdx.x - 1;
  };
  EXPECT_EQ(RunKernel({.threads = 64}, kernel), "");
  EXPECT_TRUE(right);
  SetThreadOrder(ThreadOrder::kShuffled);
  EXPECT_EQ(RunKernel({.threads = 64}, kernel), "");
  EXPECT_FALSE(right);
}

TEST_F(CudaOnCpuTest, WarpOperationsSeeTheValuesOfAllLanes) {
  SetThreadOrder(ThreadOrder::kShuffled);
  std::vector<std::vector<unsigned>> seen(64);
  EXPECT_EQ(
      RunKernel({.threads = 64},
                [&] {
                  const unsigned thread = threadIdx.x, all = 0xFFFFFFFFu;
                  seen[thread] = {
                      __shfl_sync(all, thread, 5),          __shfl_xor_sync(all, thread, 1),
                      __shfl_up_sync(all, thread, 2),       __shfl_down_sync(all, thread, 2),
                      __ballot_sync(all, thread % 32 == 7), __match_any_sync(all, thread % 16),
                      __reduce_max_sync(all, thread),       __reduce_min_sync(all, thread)};
                }),
      "");
  const std::vector<unsigned> first = {5, 1, 0, 2, 1u << 7, 0x00010001, 31, 0};
  const std::vector<unsigned> last = {37, 62, 61, 63, 1u << 7, 0x80008000, 63, 32};
  EXPECT_EQ(seen[0], first);
  EXPECT_EQ(seen[63], last);
}

TEST_F(CudaOnCpuTest, BlocksOfAClusterReachEachOthersSharedMemory) {
  std::vector<unsigned> got(4);
  EXPECT_EQ(RunKernel({.blocks = 4, .threads = 32, .cluster = 2},
                      [&] {
                        __shared__ unsigned value;
                        const auto cluster = cooperative_groups::this_cluster();
                        cluster.sync();
                        if (threadIdx.x == 0) {
                          *cluster.map_shared_rank(&value, 1 - cluster.block_rank()) = blockIdx.x;
                        }
                        cluster.sync();
                        got[blockIdx.x] = value;
                      }),
            "");
  EXPECT_EQ(got, (std::vector<unsigned>{1, 0, 3, 2}));
}

TEST_F(CudaOnCpuTest, SharedMemorySurvivesTheBarrierOfAClusterOfOne) {
  bool right = true;
  EXPECT_EQ(RunKernel({.blocks = 2, .threads = 32},
                      [&] {
                        __shared__ unsigned values[32];
                        values[threadIdx.x] = threadIdx.x;
                        cooperative_groups::this_cluster().sync();
                        right &= values[31 - threadIdx.x] == 31 - threadIdx.x;
                      }),
            "");
  EXPECT_TRUE(right);
}

TEST_F(CudaOnCpuTest, SharedMemoryOfABlockThatMayNotRunYetIsAFault) {
  const std::string fault = RunKernel({.blocks = 2, .threads = 32, .cluster = 2}, [] {
    __shared__ unsigned value;
    const auto cluster = cooperative_groups::this_cluster();
    *cluster.map_shared_rank(&value, 1 - cluster.block_rank()) = 1;
  });
  EXPECT_NE(fault.find("may not have started"), std::string::npos) << fault;
}

TEST_F(CudaOnCpuTest, SharedMemoryOfABlockThatHasEndedIsAFault) {
  const std::string fault = RunKernel({.blocks = 2, .threads = 32, .cluster = 2}, [] {
    __shared__ unsigned value;
    const auto cluster = cooperative_groups::this_cluster();
    cluster.sync();
    if (cluster.block_rank() == 1) *cluster.map_shared_rank(&value, 0) = 1;
  });
  EXPECT_NE(fault.find("has ended"), std::string::npos) << fault;
}

}  // namespace
}  // namespace gwm::cuda_on_cpu
