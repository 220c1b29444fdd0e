#include "engine/io/image.h"

#include <zlib.h>

#include <cmath>
#include <set>

#include "engine/io/file.h"
#include "engine/io/palette.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

Image Gradient(int width, int height) {
  Image image = Image::Filled(width, height, 0, 0, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(i * 31 + i / 97);
  }
  return image;
}

std::array<int, 3> PixelAt(const Image& image, int x, int y) {
  const uint8_t* at = &image.pixels[size_t{3} * (y * image.width + x)];
  return {at[0], at[1], at[2]};
}

// Overwrites bytes of the PNG's header chunk and makes its checksum right again.
std::string WithHeaderBytes(std::string png, size_t at, const std::string& bytes) {
  png.replace(at, bytes.size(), bytes);
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(png.data()) + 12, 17);
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  return png;
}

TEST(ImageTest, PastesAndDropsWhatLiesOutside) {
  const Image source = Image::Filled(3, 2, 9, 9, 9);
  for (const auto& [x, y, pixels] :
       {std::tuple{0, 0, 6}, std::tuple{-2, -1, 1}, std::tuple{3, 3, 1}, std::tuple{4, 0, 0},
        std::tuple{-3, 0, 0}, std::tuple{0, -5, 0}, std::tuple{2147483647, 0, 0}}) {
    Image target = Image::Filled(4, 4, 0, 0, 0);
    Paste(source, x, y, target);
    EXPECT_EQ(std::count(target.pixels.begin(), target.pixels.end(), 9), 3 * pixels)
        << x << " " << y;
  }
}

TEST(ImageTest, UpscalesToBlocks) {
  const Image image = Gradient(3, 2);
  const Image large = Upscale(image, 4);
  ASSERT_EQ(large.width, 12);
  ASSERT_EQ(large.height, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) EXPECT_EQ(PixelAt(large, x, y), PixelAt(image, x / 4, y / 4));
  }
}

TEST(ImageTest, DrawsEveryCharacterDifferently) {
  std::set<std::string> seen;
  for (char letter = ' '; letter <= '~'; ++letter) {
    Image image = Image::Filled(6, 9, 0, 0, 0);
    DrawText(std::string(1, letter), 0, 0, 1, {255, 255, 255}, image);
    seen.emplace(image.pixels.begin(), image.pixels.end());
  }
  EXPECT_EQ(seen.size(), 95u);
}

TEST(ImageTest, DrawsTextInsideItsWidthAndClipsIt) {
  Image image = Image::Filled(40, 20, 0, 0, 0);
  DrawText("Wg", 0, 0, 2, {1, 2, 3}, image);
  EXPECT_EQ(TextWidth("Wg", 2), 22);
  for (int y = 0; y < 20; ++y) {
    for (int x = 22; x < 40; ++x) EXPECT_EQ(PixelAt(image, x, y)[0], 0);
  }
  DrawText("clipped", -8, 15, 3, {1, 2, 3}, image);
  DrawText("\n\xff", 35, -3, 1, {1, 2, 3}, image);
  EXPECT_EQ(TextWidth("", 5), 0);
}

TEST(PngTest, GivesBackEveryPixel) {
  for (const auto& [width, height] : {std::pair{1, 1}, std::pair{37, 5}, std::pair{64, 64}}) {
    const Image image = Gradient(width, height);
    const auto decoded = DecodePng(*EncodePng(image));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->width, width);
    EXPECT_EQ(decoded->height, height);
    EXPECT_EQ(decoded->pixels, image.pixels);
  }
}

TEST(PngTest, RefusesImagesWithoutTheirPixels) {
  EXPECT_EQ(EncodePng({}).status().code(), absl::StatusCode::kInvalidArgument);
  ExpectStatus(EncodePng({2, 2, std::vector<uint8_t>(11)}).status(),
               absl::StatusCode::kInvalidArgument, {"2 x 2", "11 values"});
  const std::vector<uint16_t> depth(6);
  EXPECT_TRUE(EncodePngGray16(3, 2, depth).ok());
  EXPECT_FALSE(EncodePngGray16(3, 3, depth).ok());
}

TEST(PngTest, RefusesSizesThatTheDataCannotHold) {
  const std::string png = *EncodePng(Gradient(8, 8));
  const std::string huge("\x00\x00\xff\xff\x00\x00\xff\xff", 8);
  ExpectStatus(DecodePng(WithHeaderBytes(png, 16, huge)).status(),
               absl::StatusCode::kInvalidArgument, {"65535 x 65535"});
  EXPECT_FALSE(DecodePng(WithHeaderBytes(png, 16, std::string(8, '\x7f'))).ok());
  EXPECT_FALSE(DecodePng(WithHeaderBytes(png, 16, std::string(8, '\0'))).ok());
  // A size that could be, but is not what the data holds.
  ExpectStatus(DecodePng(WithHeaderBytes(png, 16, std::string("\0\0\0\x10\0\0\0\x10", 8))).status(),
               absl::StatusCode::kInvalidArgument, {"malformed PNG"});
}

TEST(PngTest, RefusesEveryTruncationAndOtherFiles) {
  const std::string png = *EncodePng(Gradient(8, 8));
  const size_t end_of_pixels = png.size() - 12;
  for (size_t size = 0; size < end_of_pixels; ++size) {
    EXPECT_FALSE(DecodePng({png.data(), size}).ok()) << size;
  }
  EXPECT_FALSE(DecodePng("GIF89a").ok());
}

TEST(PaletteTest, KeepsUpTo256ColoursExactly) {
  std::vector<Rgb> colours;
  for (int i = 0; i < 256; ++i) {
    for (int repeat = 0; repeat <= i % 3; ++repeat)
      colours.push_back({uint8_t(i), 7, uint8_t(255 - i)});
  }
  const std::vector<Rgb> palette = ChoosePalette(colours);
  ASSERT_EQ(palette.size(), 256u);
  PaletteMap map(palette);
  for (const Rgb& colour : colours) EXPECT_EQ(palette[map.Nearest(colour)], colour);
}

TEST(PaletteTest, SpendsItsColoursWhereTheErrorIs) {
  std::vector<Rgb> colours;
  for (int r = 0; r < 256; r += 3) {
    for (int g = 0; g < 256; g += 3) colours.push_back({uint8_t(r), uint8_t(g), 40});
  }
  const std::vector<Rgb> palette = ChoosePalette(colours);
  ASSERT_EQ(palette.size(), 256u);
  PaletteMap map(palette);
  double squared_error = 0;
  for (const Rgb& colour : colours) {
    const Rgb near = palette[map.Nearest(colour)];
    for (int c = 0; c < 3; ++c) squared_error += std::pow(int{near[c]} - int{colour[c]}, 2);
  }
  // 256 even cells of this square have a mean squared error of 2 * 16 * 16 / 12.
  EXPECT_LT(squared_error / static_cast<double>(colours.size()), 1.2 * 2 * 16 * 16 / 12);
}

TEST(GifTest, RefusesFramesThatDoNotMatch) {
  ExpectStatus(EncodeGif({}, 50).status(), absl::StatusCode::kInvalidArgument, {"at least one"});
  ExpectStatus(EncodeGif({Gradient(4, 4), Gradient(4, 5)}, 50).status(),
               absl::StatusCode::kInvalidArgument, {"frame 1 is 4 x 5", "4 x 4"});
  ExpectStatus(EncodeGif({Image{}}, 50).status(), absl::StatusCode::kInvalidArgument, {"0 x 0"});
}

TEST(GifTest, WritesHeaderLoopDelayAndEnd) {
  const std::string gif = *EncodeGif({Gradient(300, 2), Gradient(300, 2)}, 47);
  EXPECT_EQ(gif.substr(0, 10), std::string("GIF89a\x2c\x01\x02\x00", 10));
  EXPECT_NE(gif.find(std::string("NETSCAPE2.0\x03\x01\x00\x00\x00", 16)), std::string::npos);
  EXPECT_NE(gif.find(std::string("\x21\xf9\x04\x04\x05\x00", 6)), std::string::npos);
  EXPECT_EQ(gif.back(), '\x3b');
}

}  // namespace
}  // namespace gwm::io
