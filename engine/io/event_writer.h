// TensorBoard event files: TFRecord framing (length, masked CRC32C) around hand-encoded Event
// messages.
#ifndef GWM_ENGINE_IO_EVENT_WRITER_H_
#define GWM_ENGINE_IO_EVENT_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/image.h"

namespace gwm::io {

// Thread-compatible. Every call is flushed, so a killed run loses nothing that was written.
class EventWriter {
 public:
  // Creates `folder` and a new events.out.tfevents.* file in it; a resumed run adds a file, as
  // TensorBoard expects.
  static absl::StatusOr<std::unique_ptr<EventWriter>> Create(const std::string& folder);
  ~EventWriter();

  absl::Status Scalar(const std::string& tag, int64_t step, double value);
  absl::Status Picture(const std::string& tag, int64_t step, const Image& image);

 private:
  explicit EventWriter(std::FILE* file) : file_(file) {}
  absl::Status WriteRecord(const std::string& event);
  std::FILE* file_;
};

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_EVENT_WRITER_H_
