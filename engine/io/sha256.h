// SHA-256 (FIPS 180-4): digests of checkpoints and state blobs.
#ifndef GWM_ENGINE_IO_SHA256_H_
#define GWM_ENGINE_IO_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gwm::io {

// A digest of bytes that come in pieces. Thread-compatible.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  // 64 lower-case hex digits of everything so far. Ends the use of this object.
  std::string FinishHex();

 private:
  void Compress(const uint8_t* block);
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> pending_{};
  uint64_t total_bytes_ = 0;
};

std::string Sha256Hex(std::string_view bytes);
// Reads the file in pieces. Errors as ReadFile.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_SHA256_H_
