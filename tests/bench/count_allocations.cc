// Counts a process's allocations: LD_PRELOAD this library, and the 8 bytes at the start of the file
// that GWM_ALLOCATION_COUNT names (it must exist) hold the number of calls of malloc, calloc,
// realloc and aligned_alloc so far.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::atomic<uint64_t> unmapped{0};
std::atomic<std::atomic<uint64_t>*> counter{&unmapped};

void Count() { counter.load(std::memory_order_relaxed)->fetch_add(1, std::memory_order_relaxed); }

__attribute__((constructor)) void MapCounter() {
  const char* path = std::getenv("GWM_ALLOCATION_COUNT");
  const int file = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0 || ftruncate(file, sizeof(uint64_t)) != 0) return;
  void* place = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (place != MAP_FAILED) counter = static_cast<std::atomic<uint64_t>*>(place);
}

}  // namespace

extern "C" {

// glibc's own entry points, so that nothing is looked up before the first allocation.
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

__attribute__((visibility("default"))) void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}
__attribute__((visibility("default"))) void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}
__attribute__((visibility("default"))) void* realloc(void* old, size_t size) {
  Count();
  return __libc_realloc(old, size);
}
__attribute__((visibility("default"))) void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}

}  // extern "C"
