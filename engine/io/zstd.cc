#include "engine/io/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gwm::io {
namespace {

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

constexpr size_t kSmallestGrowth = 64 << 10;

// Room for the first output: what the frame promises, but no more than a usual ratio of the input.
size_t FirstCapacity(std::string_view bytes, size_t most) {
  constexpr size_t kUsualRatio = 16;
  const unsigned long long promised = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  size_t capacity = bytes.size() * kUsualRatio + kSmallestGrowth;
  if (promised != ZSTD_CONTENTSIZE_UNKNOWN && promised != ZSTD_CONTENTSIZE_ERROR) {
    capacity = static_cast<size_t>(std::min<unsigned long long>(promised, capacity));
  }
  return std::min(std::max<size_t>(capacity, 1), most);
}

absl::Status Malformed(size_t position, std::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("zstd data at byte ", position, ": ", std::string(reason)));
}

}  // namespace

absl::StatusOr<std::string> ZstdCompress(std::string_view bytes, int level) {
  if (level < 1 || level > ZSTD_maxCLevel()) {
    return absl::InvalidArgumentError(
        absl::StrCat("zstd level ", level, ", must be 1 to ", ZSTD_maxCLevel()));
  }
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for zstd");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size)) {
    return absl::ResourceExhaustedError(absl::StrCat("zstd: ", ZSTD_getErrorName(size)));
  }
  out.resize(size);
  return out;
}

absl::StatusOr<std::string> ZstdDecompress(std::string_view bytes, size_t max_bytes) {
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for zstd");
  // One byte above the limit, so that data of exactly `max_bytes` is told from more.
  const size_t most = max_bytes + (max_bytes < SIZE_MAX ? 1 : 0);
  std::string out(FirstCapacity(bytes, most), '\0');
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  while (true) {
    // 0 exactly when a frame has ended and all of it is flushed.
    const size_t hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint)) return Malformed(input.pos, ZSTD_getErrorName(hint));
    if (output.pos > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("zstd data of more than ", max_bytes, " decompressed bytes"));
    }
    if (hint == 0 && input.pos == input.size) break;
    if (output.pos == output.size) {
      out.resize(std::min(most, out.size() + std::max(out.size(), kSmallestGrowth)));
      output.dst = out.data();
      output.size = out.size();
    } else if (input.pos == input.size) {
      return Malformed(input.size, "the data ends inside a frame");
    }
  }
  out.resize(output.pos);
  return out;
}

bool LooksLikeZstd(std::string_view bytes) {
  return bytes.starts_with(std::string_view("\x28\xB5\x2F\xFD", 4));
}

}  // namespace gwm::io
