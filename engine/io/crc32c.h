// CRC-32C (Castagnoli), the checksum of TFRecord files.
#ifndef GWM_ENGINE_IO_CRC32C_H_
#define GWM_ENGINE_IO_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace gwm::io {

uint32_t Crc32c(std::string_view bytes);

// The form that TFRecord stores, so that a checksum of data that holds checksums stays useful.
uint32_t MaskedCrc32c(std::string_view bytes);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_CRC32C_H_
