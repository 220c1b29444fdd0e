// How the process keeps its memory.
#ifndef GWM_ENGINE_BASE_MEMORY_H_
#define GWM_ENGINE_BASE_MEMORY_H_

namespace gwm {

// Freed memory stays with the process instead of going back to the kernel. Training frees and takes
// the same large tensors at every update, and clean pages cost more than the small operations that
// fill them. For programs that train, early in main(); does nothing without glibc.
void KeepFreedMemory();

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_MEMORY_H_
