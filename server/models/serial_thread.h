// A thread that does one thing after the other: loads of models, so that two of them never need
// memory at the same time.
#ifndef GWM_SERVER_MODELS_SERIAL_THREAD_H_
#define GWM_SERVER_MODELS_SERIAL_THREAD_H_

#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace gwm::server {

// Thread-safe.
class SerialThread {
 public:
  SerialThread() : thread_([this] { Loop(); }) {}
  // Does what waits first.
  ~SerialThread() {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    thread_.join();
  }

  void Do(std::function<void()> function) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    waiting_.push_back(std::move(function));
  }

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || !waiting_.empty(); }

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      std::function<void()> next;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &SerialThread::Ready));
        if (waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      next();
    }
  }

  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_MODELS_SERIAL_THREAD_H_
