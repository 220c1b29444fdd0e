// GIF89a: one global palette, LZW-coded frames, endless loop.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"
#include "engine/io/image.h"
#include "engine/io/palette.h"

namespace gwm::io {
namespace {

constexpr int kBitsPerIndex = 8;
constexpr int kMaxCodes = 4096;
constexpr size_t kMaxSampledPixels = 2'000'000;

void AppendU16(int value, std::string& out) {
  out += static_cast<char>(value & 0xff);
  out += static_cast<char>(value >> 8 & 0xff);
}

// Packs codes of growing width, lowest bit first, into sub-blocks of at most 255 bytes.
class BlockWriter {
 public:
  explicit BlockWriter(std::string& out) : out_(out) {}

  void Put(int code, int bits) {
    pending_ |= static_cast<uint32_t>(code) << pending_bits_;
    pending_bits_ += bits;
    for (; pending_bits_ >= 8; pending_bits_ -= 8, pending_ >>= 8) PutByte(pending_ & 0xff);
  }

  void Finish() {
    if (pending_bits_ > 0) PutByte(pending_ & 0xff);
    FlushBlock();
    out_ += '\0';
  }

 private:
  void PutByte(uint32_t byte) {
    block_ += static_cast<char>(byte);
    if (block_.size() == 255) FlushBlock();
  }
  void FlushBlock() {
    if (block_.empty()) return;
    out_ += static_cast<char>(block_.size());
    out_ += block_;
    block_.clear();
  }

  std::string& out_;
  std::string block_;
  uint32_t pending_ = 0;
  int pending_bits_ = 0;
};

// Known strings: (code of the prefix, next index) -> code. Open addressing over twice as many slots
// as codes.
class CodeTable {
 public:
  void Clear() { slots_.fill({kEmpty, 0}); }

  // The code of a known string; for a new one nothing, and it is known as `new_code` from then on.
  std::optional<int> FindOrAdd(int prefix, uint8_t index, int new_code) {
    const uint32_t key = static_cast<uint32_t>(prefix) << 8 | index;
    size_t at = key * kHashFactor >> kHashShift;
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) % slots_.size();
    if (slots_[at].key == key) return slots_[at].code;
    slots_[at] = {key, static_cast<uint16_t>(new_code)};
    return std::nullopt;
  }

 private:
  static constexpr uint32_t kEmpty = 0xffffffff;
  static constexpr uint32_t kHashFactor = 2654435761U;
  static constexpr int kHashShift = 32 - 13;
  struct Slot {
    uint32_t key;
    uint16_t code;
  };
  std::array<Slot, 2 * kMaxCodes> slots_;
};

// `indices` is not empty.
void AppendLzw(const std::vector<uint8_t>& indices, CodeTable& table, std::string& out) {
  constexpr int kClear = 1 << kBitsPerIndex;
  constexpr int kEnd = kClear + 1;
  out += static_cast<char>(kBitsPerIndex);
  BlockWriter writer(out);
  int bits = kBitsPerIndex + 1;
  int next_code = kEnd + 1;
  table.Clear();
  writer.Put(kClear, bits);
  int prefix = indices[0];
  for (size_t i = 1; i < indices.size(); ++i) {
    if (const auto known = table.FindOrAdd(prefix, indices[i], next_code)) {
      prefix = *known;
      continue;
    }
    writer.Put(prefix, bits);
    // The decoder learns a code one step later, so the width grows when the code that does not fit
    // is given out.
    if (next_code == 1 << bits) ++bits;
    if (++next_code == kMaxCodes) {
      writer.Put(kClear, bits);
      table.Clear();
      bits = kBitsPerIndex + 1;
      next_code = kEnd + 1;
    }
    prefix = indices[i];
  }
  writer.Put(prefix, bits);
  // Reading that last code gives the decoder one more entry, which may widen the code that follows.
  if (next_code == 1 << bits && bits < 12) ++bits;
  writer.Put(kEnd, bits);
  writer.Finish();
}

absl::Status CheckFrames(const std::vector<Image>& frames) {
  constexpr int kMaxSide = 65535;
  if (frames.empty()) return absl::InvalidArgumentError("a GIF needs at least one frame");
  const Image& first = frames[0];
  for (size_t i = 0; i < frames.size(); ++i) {
    const Image& frame = frames[i];
    if (frame.width != first.width || frame.height != first.height || frame.width < 1 ||
        frame.height < 1 || frame.width > kMaxSide || frame.height > kMaxSide ||
        frame.pixels.size() != size_t{3} * frame.width * frame.height) {
      return absl::InvalidArgumentError(
          absl::StrCat("GIF frame ", i, " is ", frame.width, " x ", frame.height, " with ",
                       frame.pixels.size(), " values, must be like frame 0 (", first.width, " x ",
                       first.height, "), with sides of 1 to ", kMaxSide));
    }
  }
  return absl::OkStatus();
}

Rgb PixelAt(const Image& image, size_t pixel) {
  const uint8_t* at = &image.pixels[3 * pixel];
  return {at[0], at[1], at[2]};
}

// Every pixel, or every n-th where there are very many.
std::vector<Rgb> SamplePixels(const std::vector<Image>& frames) {
  const size_t per_frame = frames[0].pixels.size() / 3;
  const size_t stride = 1 + per_frame * frames.size() / kMaxSampledPixels;
  std::vector<Rgb> colours;
  colours.reserve(frames.size() * (per_frame / stride + 1));
  for (size_t f = 0; f < frames.size(); ++f) {
    for (size_t i = f % stride; i < per_frame; i += stride) {
      colours.push_back(PixelAt(frames[f], i));
    }
  }
  return colours;
}

void AppendHeader(const Image& first, const std::vector<Rgb>& palette, std::string& out) {
  constexpr char kGlobalTableOf256 = static_cast<char>(0xf7);
  out += "GIF89a";
  AppendU16(first.width, out);
  AppendU16(first.height, out);
  out += kGlobalTableOf256;
  out.append(2, '\0');  // background colour, aspect ratio
  for (size_t i = 0; i < 256; ++i) {
    const Rgb colour = i < palette.size() ? palette[i] : Rgb{};
    out.append(reinterpret_cast<const char*>(colour.data()), colour.size());
  }
  out.append("\x21\xff\x0bNETSCAPE2.0\x03\x01", 16);
  AppendU16(0, out);  // loops without end
  out += '\0';
}

}  // namespace

absl::StatusOr<std::string> EncodeGif(const std::vector<Image>& frames, int delay_ms) {
  if (absl::Status status = CheckFrames(frames); !status.ok()) return status;
  const std::vector<Rgb> palette = ChoosePalette(SamplePixels(frames));
  // Viewers take less than 20 ms for a mistake and show such frames slowly.
  const int delay_cs = std::clamp((delay_ms + 5) / 10, 2, 65535);
  std::string out;
  AppendHeader(frames[0], palette, out);
  PaletteMap map(palette);
  const auto table = std::make_unique<CodeTable>();
  std::vector<uint8_t> indices(frames[0].pixels.size() / 3);
  for (const Image& frame : frames) {
    for (size_t i = 0; i < indices.size(); ++i) indices[i] = map.Nearest(PixelAt(frame, i));
    out.append("\x21\xf9\x04\x04", 4);  // graphic control: leave the frame in place
    AppendU16(delay_cs, out);
    out.append("\0\0\x2c\0\0\0\0", 7);  // no transparency; image at (0, 0)
    AppendU16(frame.width, out);
    AppendU16(frame.height, out);
    out += '\0';  // no local table
    AppendLzw(indices, *table, out);
  }
  out += '\x3b';
  return out;
}

absl::Status WriteGif(const std::string& path, const std::vector<Image>& frames, int delay_ms) {
  const absl::StatusOr<std::string> bytes = EncodeGif(frames, delay_ms);
  if (!bytes.ok()) return bytes.status();
  return WriteFileAtomic(path, *bytes);
}

}  // namespace gwm::io
