// gtest's main with one more flag: --shuffle_threads runs the threads of every warp and the warps
// of every block in random order.
#include <gtest/gtest.h>

#include <string_view>

#include "tests/kernels/cuda_on_cpu/scheduler.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == "--shuffle_threads") {
    gwm::cuda_on_cpu::SetThreadOrder(gwm::cuda_on_cpu::ThreadOrder::kShuffled);
  }
  return RUN_ALL_TESTS();
}
