// Stands in for abseil's mutex in programs built for ThreadSanitizer. The distribution's abseil is
// not instrumented, so the sanitizer would see none of its locks and call everything behind them a
// race. These definitions take the place of the library's, for it and for gRPC too, and are made of
// the standard library's mutex, which the sanitizer watches. Readers exclude each other here.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/synchronization/mutex.h"

namespace {

// Behind the one word of an absl::Mutex.
struct Lock {
  std::mutex mutex;
  std::condition_variable changed;  // told at every unlock, as any condition may hold by then
  int waiting = 0;
};

// Behind the one word of an absl::CondVar.
struct Signal {
  std::condition_variable_any told;
};

// An absl::Mutex by the names of the standard library.
struct Lockable {
  absl::Mutex* mutex;
  void lock() { mutex->Lock(); }
  void unlock() { mutex->Unlock(); }
};

// Made on first use: the constructors, which are inline, leave a zero there.
template <typename T>
T& Of(std::atomic<intptr_t>& word) {
  intptr_t present = word.load(std::memory_order_acquire);
  if (present == 0) {
    auto* made = new T;
    if (word.compare_exchange_strong(present, reinterpret_cast<intptr_t>(made))) return *made;
    delete made;
  }
  return *reinterpret_cast<T*>(present);
}

template <typename T>
void Drop(std::atomic<intptr_t>& word) {
  delete reinterpret_cast<T*>(word.exchange(0));
}

// With the mutex held -> whether `condition` holds in the end.
bool WaitFor(Lock& lock, const absl::Condition& condition, absl::Time deadline) {
  std::unique_lock<std::mutex> held(lock.mutex, std::adopt_lock);
  ++lock.waiting;
  while (!condition.Eval()) {
    // A condition may depend on what changes without the lock being taken, so look again.
    const absl::Time look = std::min(deadline, absl::Now() + absl::Milliseconds(50));
    lock.changed.wait_until(held, absl::ToChronoTime(look));
    if (absl::Now() >= deadline) break;
  }
  --lock.waiting;
  const bool holds = condition.Eval();
  held.release();
  return holds;
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() { Drop<::Lock>(mu_); }
void Mutex::Lock() { Of<::Lock>(mu_).mutex.lock(); }
void Mutex::Unlock() {
  auto& lock = Of<::Lock>(mu_);
  if (lock.waiting > 0) lock.changed.notify_all();
  lock.mutex.unlock();
}
bool Mutex::TryLock() { return Of<::Lock>(mu_).mutex.try_lock(); }
void Mutex::AssertHeld() const {}
void Mutex::ReaderLock() { Lock(); }
void Mutex::ReaderUnlock() { Unlock(); }
bool Mutex::ReaderTryLock() { return TryLock(); }
void Mutex::AssertReaderHeld() const {}
void Mutex::AssertNotHeld() const {}
void Mutex::ForgetDeadlockInfo() {}

void Mutex::Await(const Condition& cond) { WaitFor(Of<::Lock>(mu_), cond, InfiniteFuture()); }
bool Mutex::AwaitWithDeadline(const Condition& cond, Time deadline) {
  return WaitFor(Of<::Lock>(mu_), cond, deadline);
}
bool Mutex::AwaitWithTimeout(const Condition& cond, Duration timeout) {
  return AwaitWithDeadline(cond, Now() + timeout);
}
void Mutex::LockWhen(const Condition& cond) {
  Lock();
  Await(cond);
}
bool Mutex::LockWhenWithDeadline(const Condition& cond, Time deadline) {
  Lock();
  return AwaitWithDeadline(cond, deadline);
}
bool Mutex::LockWhenWithTimeout(const Condition& cond, Duration timeout) {
  return LockWhenWithDeadline(cond, Now() + timeout);
}
void Mutex::ReaderLockWhen(const Condition& cond) { LockWhen(cond); }
bool Mutex::ReaderLockWhenWithDeadline(const Condition& cond, Time deadline) {
  return LockWhenWithDeadline(cond, deadline);
}
bool Mutex::ReaderLockWhenWithTimeout(const Condition& cond, Duration timeout) {
  return LockWhenWithTimeout(cond, timeout);
}

CondVar::~CondVar() { Drop<::Signal>(cv_); }
void CondVar::Wait(Mutex* mu) {
  Lockable lockable{mu};
  Of<::Signal>(cv_).told.wait(lockable);
}
bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) {
  Lockable lockable{mu};
  const auto until = ToChronoTime(std::min(deadline, Now() + Hours(24)));
  return Of<::Signal>(cv_).told.wait_until(lockable, until) == std::cv_status::timeout;
}
bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) {
  return WaitWithDeadline(mu, Now() + timeout);
}
void CondVar::Signal() { Of<::Signal>(cv_).told.notify_one(); }
void CondVar::SignalAll() { Of<::Signal>(cv_).told.notify_all(); }

ABSL_NAMESPACE_END
}  // namespace absl
