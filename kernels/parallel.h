// A small pool of waiting threads and a loop over a fixed partition.
//
//   ThreadPool pool(2);
//   ParallelFor(&pool, n, /*grain=*/256, [&](int64_t begin, int64_t end) { ... });
#ifndef GWM_KERNELS_PARALLEL_H_
#define GWM_KERNELS_PARALLEL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gwm::kernels {

// Owns `threads - 1` threads that sleep between calls; the caller of Run is the last worker.
// Thread-compatible: one Run at a time. Functions given to it must not throw.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // >= 1
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(part) once for each part in [0, parts), on any thread, and returns when all are
  // done.
  void Run(int64_t parts, const std::function<void(int64_t)>& body);

 private:
  void Work();
  void DrainParts();

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(int64_t)>* body_ = nullptr;
  int64_t parts_ = 0;
  uint64_t generation_ = 0;
  int busy_workers_ = 0;
  bool stopping_ = false;
  std::atomic<int64_t> next_part_{0};
  std::vector<std::thread> workers_;
};

// Calls body(begin, end) over [0, n) cut into pieces of `grain`. The pieces do not depend on the
// thread count, so a body that writes only what belongs to its piece gives the same bits with any
// pool. A null pool runs serially.
void ParallelFor(ThreadPool* pool, int64_t n, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_PARALLEL_H_
