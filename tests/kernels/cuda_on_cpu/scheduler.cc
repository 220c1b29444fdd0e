#include "tests/kernels/cuda_on_cpu/scheduler.h"

#include <sanitizer/asan_interface.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "tests/kernels/cuda_on_cpu/include/cuda_runtime.h"

// Bounds of all __shared__ variables, made by the linker.
extern "C" {
extern char __start_gwm_cuda_shared[] __attribute__((weak));
extern char __stop_gwm_cuda_shared[] __attribute__((weak));
}

namespace gwm::cuda_on_cpu {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kWarpLanes = 32;
constexpr unsigned kMaxThreads = 1024, kMaxCluster = 16;
constexpr unsigned kFullMask = 0xFFFFFFFFu;

enum class State { kRunnable, kWaitsForWarp, kWaitsForBlock, kWaitsForCluster, kEnded };

struct Fiber {
  ucontext_t context;  // where it begins
  jmp_buf resume;      // where it waits: unlike swapcontext, a jump asks the kernel for nothing
  bool begun;
  State state;
  const char* operation;
  bool predicate;
  unsigned exchange;  // which of the two buffers of its warp is next
};

struct Warp {
  uint64_t values[2][kWarpLanes];
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<char> shared;  // while another block runs
  int count = 0;             // result of the last CountInBlock
  bool started = false, ended = false;
};

// All that a launch needs; fibers have no other way to find it.
struct Machine {
  LaunchShape shape;
  const std::function<void()>* thread = nullptr;
  std::vector<Block> blocks;  // of the cluster that runs
  unsigned block = 0, fiber = 0;
  jmp_buf scheduler;
  std::string fault;
  char* stacks = nullptr;
  ThreadOrder order = ThreadOrder::kAscending;
  std::minstd_rand random;
};
Machine g_machine;

size_t SharedBytes() {
  return static_cast<size_t>(__stop_gwm_cuda_shared - __start_gwm_cuda_shared);
}
Block& CurrentBlock() { return g_machine.blocks[g_machine.block]; }
Fiber& CurrentFiber() { return CurrentBlock().fibers[g_machine.fiber]; }

void Suspend(State state, const char* operation) {
  Fiber& fiber = CurrentFiber();
  fiber.state = state;
  fiber.operation = operation;
  if (_setjmp(fiber.resume) == 0) _longjmp(g_machine.scheduler, 1);
}

// Lets the fiber run until it is suspended.
__attribute__((noinline)) void Resume(Fiber* fiber) {
  if (_setjmp(g_machine.scheduler) != 0) return;
  if (fiber->begun) _longjmp(fiber->resume, 1);
  fiber->begun = true;
  setcontext(&fiber->context);
}

void Fault(const std::string& text) {
  if (g_machine.fault.empty()) {
    g_machine.fault = "block " + std::to_string(blockIdx.x) + " thread " +
                      std::to_string(threadIdx.x) + ": " + text;
  }
  Suspend(State::kEnded, "fault");
}

void RunThread() {
  (*g_machine.thread)();
  Suspend(State::kEnded, "return");
}

std::vector<unsigned> Order(unsigned n) {
  std::vector<unsigned> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (g_machine.order == ThreadOrder::kShuffled)
    std::shuffle(order.begin(), order.end(), g_machine.random);
  return order;
}

void StartBlock(Block* block, unsigned rank) {
  block->fibers.resize(g_machine.shape.threads);
  block->warps.resize(g_machine.shape.threads / kWarpLanes);
  block->shared.assign(SharedBytes(), static_cast<char>(0xFF));
  block->started = block->ended = false;
  for (unsigned i = 0; i < g_machine.shape.threads; ++i) {
    Fiber& fiber = block->fibers[i];
    fiber.state = State::kRunnable;
    fiber.exchange = 0;
    fiber.begun = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = g_machine.stacks + (rank * kMaxThreads + i) * kStackBytes;
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, RunThread, 0);
    // A fiber before it ended without leaving its frames.
    ASAN_UNPOISON_MEMORY_REGION(fiber.context.uc_stack.ss_sp, kStackBytes);
  }
}

bool AllWait(const Block& block, unsigned begin, unsigned end, State state) {
  for (unsigned i = begin; i < end; ++i) {
    if (block.fibers[i].state != state ||
        block.fibers[i].operation != block.fibers[begin].operation)
      return false;
  }
  return true;
}

void Release(Block* block, unsigned begin, unsigned end) {
  for (unsigned i = begin; i < end; ++i) block->fibers[i].state = State::kRunnable;
}

// Until no lane can go on. True if any did.
bool RunWarp(Block* block, unsigned begin) {
  bool any = false;
  for (;;) {
    for (const unsigned lane : Order(kWarpLanes)) {
      Fiber& fiber = block->fibers[begin + lane];
      if (fiber.state != State::kRunnable) continue;
      any = true;
      g_machine.fiber = threadIdx.x = begin + lane;
      Resume(&fiber);
      if (!g_machine.fault.empty()) return false;
    }
    if (!AllWait(*block, begin, begin + kWarpLanes, State::kWaitsForWarp)) return any;
    Release(block, begin, begin + kWarpLanes);
  }
}

// Until every thread has ended or waits for the cluster; anything else is divergence.
void RunBlock(Block* block) {
  const unsigned threads = g_machine.shape.threads;
  block->started = true;
  for (;;) {
    bool any = false;
    for (const unsigned warp : Order(threads / kWarpLanes))
      any |= RunWarp(block, warp * kWarpLanes);
    if (!g_machine.fault.empty()) return;
    if (AllWait(*block, 0, threads, State::kWaitsForBlock)) {
      block->count = 0;
      for (const Fiber& fiber : block->fibers) block->count += fiber.predicate ? 1 : 0;
      Release(block, 0, threads);
    } else if (!any) {
      break;
    }
  }
  block->ended = AllWait(*block, 0, threads, State::kEnded);
  if (block->ended || AllWait(*block, 0, threads, State::kWaitsForCluster)) return;
  for (const Fiber& fiber : block->fibers) {
    if (fiber.operation == block->fibers[0].operation) continue;
    g_machine.fault = "block " + std::to_string(blockIdx.x) + ": threads diverge, some are at " +
                      block->fibers[0].operation + ", some at " + fiber.operation;
  }
}

void SwitchToBlock(unsigned rank) {
  std::memcpy(CurrentBlock().shared.data(), __start_gwm_cuda_shared, SharedBytes());
  g_machine.block = rank;
  std::memcpy(__start_gwm_cuda_shared, CurrentBlock().shared.data(), SharedBytes());
}

void RunCluster(unsigned first_block) {
  const unsigned size = g_machine.shape.cluster;
  for (unsigned rank = 0; rank < size; ++rank) StartBlock(&g_machine.blocks[rank], rank);
  // What lies in the shared section belongs to nobody yet.
  std::memset(__start_gwm_cuda_shared, 0xFF, SharedBytes());
  for (;;) {
    for (const unsigned rank : Order(size)) {
      SwitchToBlock(rank);
      blockIdx.x = first_block + rank;
      if (!CurrentBlock().ended) RunBlock(&CurrentBlock());
      if (!g_machine.fault.empty()) return;
    }
    unsigned ended = 0;
    for (const Block& block : g_machine.blocks) ended += block.ended ? 1 : 0;
    if (ended == size) return;
    if (ended > 0) {
      g_machine.fault = "a block ended while others of its cluster wait at cluster.sync";
      return;
    }
    for (Block& block : g_machine.blocks) Release(&block, 0, g_machine.shape.threads);
  }
}

}  // namespace

ThreadOrder SetThreadOrder(ThreadOrder order) { return std::exchange(g_machine.order, order); }

std::string RunKernel(const LaunchShape& shape, const std::function<void()>& thread) {
  if (shape.blocks == 0 || shape.threads == 0 || shape.threads % kWarpLanes != 0 ||
      shape.threads > kMaxThreads || shape.cluster == 0 || shape.cluster > kMaxCluster ||
      shape.blocks % shape.cluster != 0) {
    return "the shape of the launch is invalid";
  }
  if (g_machine.stacks == nullptr) {
    g_machine.stacks = static_cast<char*>(mmap(nullptr, kMaxCluster * kMaxThreads * kStackBytes,
                                               PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (g_machine.stacks == MAP_FAILED) return "no memory for stacks";
  }
  g_machine.shape = shape;
  g_machine.thread = &thread;
  g_machine.fault.clear();
  g_machine.blocks.resize(shape.cluster);
  g_machine.block = 0;
  blockDim = dim3(shape.threads);
  gridDim = dim3(shape.blocks);
  for (unsigned block = 0; block < shape.blocks && g_machine.fault.empty(); block += shape.cluster)
    RunCluster(block);
  return g_machine.fault;
}

void WaitForWarp(const char* operation) { Suspend(State::kWaitsForWarp, operation); }
void WaitForBlock(const char* operation) { Suspend(State::kWaitsForBlock, operation); }
void WaitForCluster(const char* operation) { Suspend(State::kWaitsForCluster, operation); }

void RequireFullWarp(unsigned mask, const char* operation) {
  if (mask != kFullMask) Fault(std::string(operation) + " with part of a warp");
}

const uint64_t* ExchangeInWarp(uint64_t value, const char* operation) {
  Fiber& fiber = CurrentFiber();
  // Two buffers: a lane that is ahead by one exchange does not overwrite what others still read.
  uint64_t* values = CurrentBlock().warps[g_machine.fiber / kWarpLanes].values[fiber.exchange];
  fiber.exchange ^= 1;
  values[g_machine.fiber % kWarpLanes] = value;
  WaitForWarp(operation);
  return values;
}

int CountInBlock(bool predicate, const char* operation) {
  CurrentFiber().predicate = predicate;
  WaitForBlock(operation);
  return CurrentBlock().count;
}

unsigned ClusterRank() { return g_machine.block; }
unsigned ClusterSize() { return g_machine.shape.cluster; }

void* SharedOfBlock(void* variable, unsigned rank) {
  if (rank >= g_machine.shape.cluster) Fault("map_shared_rank beyond the cluster");
  const char* const address = static_cast<char*>(variable);
  if (address < __start_gwm_cuda_shared || address >= __stop_gwm_cuda_shared) {
    Fault("map_shared_rank of what is not shared memory, or lies in a template");
  }
  if (rank == g_machine.block) return variable;
  Block& block = g_machine.blocks[rank];
  if (!block.started) Fault("shared memory of a block that may not have started");
  if (block.ended) Fault("shared memory of a block that has ended");
  return block.shared.data() + (address - __start_gwm_cuda_shared);
}

}  // namespace gwm::cuda_on_cpu
