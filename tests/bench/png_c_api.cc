// The product's PNG encoder and libpng with its defaults, behind the same C border.
#include <png.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "engine/io/image.h"
#include "tests/bench/kernels_c_api.h"

namespace {

void AppendBytes(png_structp png, png_bytep bytes, png_size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(reinterpret_cast<const char*>(bytes), count);
}
void Flush(png_structp) {}

std::string LibpngDefault(const uint8_t* rgb, int width, int height) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, AppendBytes, Flush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int row = 0; row < height; ++row) {
    png_write_row(png, rgb + static_cast<ptrdiff_t>(row) * width * 3);
  }
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

int64_t CopyOut(const std::string& bytes, uint8_t* out, int64_t capacity) {
  if (static_cast<int64_t>(bytes.size()) > capacity) return -1;
  std::memcpy(out, bytes.data(), bytes.size());
  return static_cast<int64_t>(bytes.size());
}

}  // namespace

extern "C" {

// rgb [H, W, 3] -> bytes of the file, written to `out`; -1 when they do not fit.
GWM_BENCH_EXPORT int64_t GwmBenchLibpng(const uint8_t* rgb, int width, int height, uint8_t* out,
                                        int64_t capacity) {
  return CopyOut(LibpngDefault(rgb, width, height), out, capacity);
}

// The same with the product's encoder.
GWM_BENCH_EXPORT int64_t GwmBenchPng(const gwm::io::Image* image, uint8_t* out, int64_t capacity) {
  const auto bytes = gwm::io::EncodePng(*image);
  return bytes.ok() ? CopyOut(*bytes, out, capacity) : -1;
}
GWM_BENCH_EXPORT gwm::io::Image* GwmBenchImage(const uint8_t* rgb, int width, int height) {
  auto image = std::make_unique<gwm::io::Image>(gwm::io::Image{.width = width, .height = height});
  image->pixels.assign(rgb, rgb + static_cast<ptrdiff_t>(width) * height * 3);
  return image.release();
}
GWM_BENCH_EXPORT void GwmBenchFreeImage(gwm::io::Image* image) {
  std::unique_ptr<gwm::io::Image> owned(image);
}

}  // extern "C"
