#include "kernels/parallel.h"

#include <algorithm>

namespace gwm::kernels {

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(int64_t parts, const std::function<void(int64_t)>& body) {
  if (workers_.empty() || parts <= 1) {
    for (int64_t part = 0; part < parts; ++part) body(part);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    body_ = &body;
    parts_ = parts;
    next_part_.store(0, std::memory_order_relaxed);
    busy_workers_ = static_cast<int>(workers_.size());
    ++generation_;
  }
  start_.notify_all();
  DrainParts();
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return busy_workers_ == 0; });
  body_ = nullptr;
}

void ThreadPool::Work() {
  uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
    }
    DrainParts();
    std::lock_guard<std::mutex> lock(mutex_);
    if (--busy_workers_ == 0) done_.notify_one();
  }
}

void ThreadPool::DrainParts() {
  for (int64_t part; (part = next_part_.fetch_add(1, std::memory_order_relaxed)) < parts_;) {
    (*body_)(part);
  }
}

void ParallelFor(ThreadPool* pool, int64_t n, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& body) {
  if (n <= 0) return;
  const int64_t parts = (n + grain - 1) / grain;
  const auto run_part = [&](int64_t part) { body(part * grain, std::min(n, (part + 1) * grain)); };
  if (pool == nullptr) {
    for (int64_t part = 0; part < parts; ++part) run_part(part);
  } else {
    pool->Run(parts, run_part);
  }
}

}  // namespace gwm::kernels
