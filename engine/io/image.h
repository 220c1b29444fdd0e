// Images for people: PNG, GIF and a plot of curves.
#ifndef GWM_ENGINE_IO_IMAGE_H_
#define GWM_ENGINE_IO_IMAGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gwm::io {

// Row-major u8 RGB, pixels.size() == width * height * 3.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;

  // Requires width and height from 0.
  static Image Filled(int width, int height, uint8_t red, uint8_t green, uint8_t blue);
};

// Copies `source` into `target` with its top-left corner at (x, y); parts outside are dropped.
void Paste(const Image& source, int x, int y, Image& target);
// Every pixel becomes factor x factor pixels; factor from 1.
Image Upscale(const Image& image, int factor);
// Text in a built-in 5x7 font (ASCII 32..126, anything else as '?'), scaled by a whole factor. A
// character cell is 6 x 9 times the scale; parts outside of the target are dropped.
void DrawText(std::string_view text, int x, int y, int scale, const uint8_t (&rgb)[3],
              Image& target);
// Columns from the first to the last pixel of the text.
int TextWidth(std::string_view text, int scale);

// InvalidArgument when the image has no pixels, or not as many as its size says.
absl::StatusOr<std::string> EncodePng(const Image& image);
// 16-bit grey, for depth in millimetres: row-major [height, width]. InvalidArgument as EncodePng.
absl::StatusOr<std::string> EncodePngGray16(int width, int height,
                                            std::span<const uint16_t> pixels);
// Any PNG as RGB: grey is repeated, transparent parts become black, 16 bits become 8.
// InvalidArgument for malformed or cut-off data and for sizes that the data cannot hold.
absl::StatusOr<Image> DecodePng(std::string_view bytes);
// Atomic, as WriteFileAtomic.
absl::Status WritePng(const std::string& path, const Image& image);

// An endless GIF; all frames of one size. `delay_ms` is rounded to 10 ms, at least 20. The 256
// colours are chosen from all frames together, so that still parts do not flicker; up to 256
// different colours stay exact. InvalidArgument when there are no frames, or when a frame is empty,
// wider than 65535 or of another size.
absl::StatusOr<std::string> EncodeGif(const std::vector<Image>& frames, int delay_ms);
absl::Status WriteGif(const std::string& path, const std::vector<Image>& frames, int delay_ms);

struct Curve {
  std::string label;
  std::vector<double> x;
  std::vector<double> y;  // as long as x; a value that is not finite, or beyond 1e300, leaves a gap
};
struct PlotOptions {
  std::string title;
  std::string x_label;
  int width = 720;     // pixels, at least 240
  int height = 420;    // pixels, at least 160
  bool log_y = false;  // values of 0 and below leave a gap
};
// Axes with ticks and numbers, a legend above them, one colour a curve (ten in turn). A point
// between two gaps is a dot.
Image PlotCurves(const std::vector<Curve>& curves, const PlotOptions& options);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_IMAGE_H_
