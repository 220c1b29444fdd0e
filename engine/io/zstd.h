// Zstandard compression of whole buffers.
#ifndef GWM_ENGINE_IO_ZSTD_H_
#define GWM_ENGINE_IO_ZSTD_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gwm::io {

// One frame that states its size and carries a checksum. `level` is 1 (fast) to 22 (small);
// InvalidArgument otherwise.
absl::StatusOr<std::string> ZstdCompress(std::string_view bytes, int level = 9);

// All frames of `bytes` one after another, with or without a stated size; skippable frames are
// skipped. Memory grows with what comes out, not with what a header promises. InvalidArgument names
// the byte at which the data is malformed or cut off; ResourceExhausted above `max_bytes`.
absl::StatusOr<std::string> ZstdDecompress(std::string_view bytes, size_t max_bytes);

// Whether `bytes` starts with the magic number of a Zstandard frame.
bool LooksLikeZstd(std::string_view bytes);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_ZSTD_H_
