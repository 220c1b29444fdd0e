// Images for people: PNG, GIF and a plot of curves.
#ifndef GWM_ENGINE_IO_IMAGE_H_
#define GWM_ENGINE_IO_IMAGE_H_

#include <cstdint>
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

  static Image Filled(int width, int height, uint8_t red, uint8_t green, uint8_t blue);
};

// Copies `source` into `target` with its top-left corner at (x, y); parts outside are dropped.
void Paste(const Image& source, int x, int y, Image& target);
// Every pixel becomes factor x factor pixels.
Image Upscale(const Image& image, int factor);
// Text in a built-in 5x7 font (ASCII 32..126), scaled by a whole factor.
void DrawText(std::string_view text, int x, int y, int scale, const uint8_t (&rgb)[3],
              Image& target);

absl::StatusOr<std::string> EncodePng(const Image& image);
absl::StatusOr<Image> DecodePng(std::string_view bytes);
absl::Status WritePng(const std::string& path, const Image& image);

// An endless GIF; all frames of one size. `delay_ms` is rounded to 10 ms.
absl::Status WriteGif(const std::string& path, const std::vector<Image>& frames, int delay_ms);

struct Curve {
  std::string label;
  std::vector<double> x;
  std::vector<double> y;  // as long as x; not-a-number leaves a gap
};
struct PlotOptions {
  std::string title;
  std::string x_label;
  int width = 720;
  int height = 420;
  bool log_y = false;
};
// Axes with ticks and numbers, a legend, one colour a curve.
Image PlotCurves(const std::vector<Curve>& curves, const PlotOptions& options);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_IMAGE_H_
