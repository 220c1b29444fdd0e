// PNG through libpng's simplified interface, which keeps its error jumps inside the library.
#include <png.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"
#include "engine/io/image.h"

namespace gwm::io {
namespace {

constexpr int kMaxSide = 1 << 16;

// Frees libpng's state on every way out.
class PngImage {
 public:
  PngImage() { image_.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image_); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  png_image* get() { return &image_; }
  png_image* operator->() { return &image_; }

 private:
  png_image image_ = {};
};

absl::StatusOr<std::string> Encode(int width, int height, png_uint_32 format, size_t values,
                                   const void* pixels) {
  PngImage png;
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide ||
      values != size_t{PNG_IMAGE_SAMPLE_CHANNELS(format)} * width * height) {
    return absl::InvalidArgumentError(absl::StrCat("image of ", width, " x ", height,
                                                   " pixels with ", values,
                                                   " values, sides must be 1 to ", kMaxSide));
  }
  png->width = static_cast<png_uint_32>(width);
  png->height = static_cast<png_uint_32>(height);
  png->format = format;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(*png.get());
  std::string out(bytes, '\0');
  if (png_image_write_to_memory(png.get(), out.data(), &bytes, 0, pixels, 0, nullptr) == 0) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG: ", png->message));
  }
  out.resize(bytes);
  return out;
}

// Bits of one pixel, read from the header chunk; 0 when there is none.
int BitsPerPixel(std::string_view bytes) {
  constexpr size_t kBitDepth = 24;
  constexpr size_t kColourType = 25;
  if (bytes.size() <= kColourType) return 0;
  const int depth = static_cast<uint8_t>(bytes[kBitDepth]);
  switch (bytes[kColourType]) {
    case PNG_COLOR_TYPE_RGB:
      return 3 * depth;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      return 2 * depth;
    case PNG_COLOR_TYPE_RGB_ALPHA:
      return 4 * depth;
    default:
      return depth;
  }
}

// Deflate expands at most 1032-fold: more pixels than that are a lie, and are not allocated.
bool CanHold(std::string_view bytes, const png_image& image) {
  constexpr double kMaxExpansion = 1032;
  const double raw_bytes =
      static_cast<double>(image.width) * image.height * std::max(BitsPerPixel(bytes), 1) / 8;
  return raw_bytes <= kMaxExpansion * static_cast<double>(bytes.size());
}

}  // namespace

absl::StatusOr<std::string> EncodePng(const Image& image) {
  return Encode(image.width, image.height, PNG_FORMAT_RGB, image.pixels.size(),
                image.pixels.data());
}

absl::StatusOr<std::string> EncodePngGray16(int width, int height,
                                            std::span<const uint16_t> pixels) {
  return Encode(width, height, PNG_FORMAT_LINEAR_Y, pixels.size(), pixels.data());
}

absl::StatusOr<Image> DecodePng(std::string_view bytes) {
  PngImage png;
  if (png_image_begin_read_from_memory(png.get(), bytes.data(), bytes.size()) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("not a PNG: ", png->message));
  }
  if (png->width > kMaxSide || png->height > kMaxSide || !CanHold(bytes, *png.get())) {
    return absl::InvalidArgumentError(absl::StrCat("PNG of ", bytes.size(), " bytes claims ",
                                                   png->width, " x ", png->height, " pixels"));
  }
  png->format = PNG_FORMAT_RGB;
  // Transparent parts are mixed with what the buffer holds: black.
  Image image = Image::Filled(static_cast<int>(png->width), static_cast<int>(png->height), 0, 0, 0);
  if (png_image_finish_read(png.get(), nullptr, image.pixels.data(), 0, nullptr) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("malformed PNG: ", png->message));
  }
  return image;
}

absl::Status WritePng(const std::string& path, const Image& image) {
  const absl::StatusOr<std::string> bytes = EncodePng(image);
  if (!bytes.ok()) return bytes.status();
  return WriteFileAtomic(path, *bytes);
}

}  // namespace gwm::io
