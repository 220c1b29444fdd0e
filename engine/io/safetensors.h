// Safetensors files: 8-byte little-endian header length, JSON header, raw little-endian data.
// Every length and offset that a file states is checked before use; a hostile file gives an error,
// never a crash.
#ifndef GWM_ENGINE_IO_SAFETENSORS_H_
#define GWM_ENGINE_IO_SAFETENSORS_H_

#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/host_tensor.h"

namespace gwm::io {

struct TensorFile {
  std::map<std::string, HostTensor> tensors;
  std::map<std::string, std::string> metadata;  // the header's __metadata__

  // The named tensor. NotFound when absent; InvalidArgument when its dtype or rank is another (rank
  // -1: any).
  absl::StatusOr<const HostTensor*> Find(const std::string& name, DType dtype, int rank = -1) const;
};

// InvalidArgument for anything malformed, with the byte or tensor that is wrong. As strict as the
// public reader: the tensors cover the data without a gap, an overlap or a rest. Allocates no more
// than a small multiple of `bytes`.
absl::StatusOr<TensorFile> ParseTensors(std::span<const uint8_t> bytes);
// The same bytes for the same content: widest dtype first, then by name, which aligns every tensor
// to its own dtype. Requires a file that CheckTensors accepts.
std::string SerializeTensors(const TensorFile& file);
// InvalidArgument when a name or a metadata entry is no UTF-8, a name is reserved, or a tensor's
// bytes do not fit its shape.
absl::Status CheckTensors(const TensorFile& file);

// Reads `path`; a name that ends in .zst, or data that starts with the zstd magic, is decompressed
// first. NotFound, InvalidArgument, or ResourceExhausted above `max_bytes` of decompressed data.
absl::StatusOr<TensorFile> ReadTensorFile(const std::string& path,
                                          size_t max_bytes = size_t{4} << 30);
// Writes through a temporary file and a rename, so that a reader never sees half a file. Compresses
// for *.zst, with `zstd_level` of 1 (fast) to 22 (small).
absl::Status WriteTensorFile(const std::string& path, const TensorFile& file, int zstd_level = 9);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_SAFETENSORS_H_
