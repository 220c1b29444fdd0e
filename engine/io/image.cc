#include "engine/io/image.h"

#include <algorithm>
#include <cstring>

namespace gwm::io {

Image Image::Filled(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    image.pixels[i] = red;
    image.pixels[i + 1] = green;
    image.pixels[i + 2] = blue;
  }
  return image;
}

void Paste(const Image& source, int x, int y, Image& target) {
  const int left = std::max(0, -x);
  const int right = static_cast<int>(std::min<int64_t>(source.width, int64_t{target.width} - x));
  const int top = std::max(0, -y);
  const int bottom = static_cast<int>(std::min<int64_t>(source.height, int64_t{target.height} - y));
  if (left >= right) return;
  for (int row = top; row < bottom; ++row) {
    const size_t from = (size_t{3} * row * source.width) + size_t{3} * left;
    const size_t to = size_t{3} * (y + row) * target.width + size_t{3} * (x + left);
    std::memcpy(target.pixels.data() + to, source.pixels.data() + from, size_t{3} * (right - left));
  }
}

Image Upscale(const Image& image, int factor) {
  Image large = Image::Filled(image.width * factor, image.height * factor, 0, 0, 0);
  for (int row = 0; row < large.height; ++row) {
    for (int column = 0; column < large.width; ++column) {
      const size_t from = size_t{3} * ((row / factor) * image.width + column / factor);
      const size_t to = size_t{3} * (static_cast<size_t>(row) * large.width + column);
      std::memcpy(&large.pixels[to], &image.pixels[from], 3);
    }
  }
  return large;
}

}  // namespace gwm::io
