// The C++ side of cross_check.py.
//   io_cross_check write DIR          writes samples of every format
//   io_cross_check tensors FILE...    prints "name dtype shape sha256" per tensor and "key=value"
//   per metadata entry io_cross_check png FILE...        prints "width height sha256" of the RGB
//   pixels
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/io/episode.h"
#include "engine/io/event_writer.h"
#include "engine/io/file.h"
#include "engine/io/image.h"
#include "engine/io/safetensors.h"
#include "engine/io/sha256.h"

namespace gwm::io {
namespace {

absl::Status WriteTensors(const std::string& folder) {
  TensorFile file;
  file.metadata = {{"format", "pt"}, {"quote\"", "tab\t \xc3\xa9"}};
  for (const char* name : {"u8", "u16", "i32", "i64", "f16", "bf16", "f32", "f64", "bool", "i8",
                           "i16", "u32", "u64"}) {
    HostTensor tensor = HostTensor::Zeros(*DTypeFromName(name), {3, 5});
    for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = static_cast<char>(i % 2);
    file.tensors[name] = std::move(tensor);
  }
  file.tensors["scalar"] = HostTensor::From<float>({}, std::vector<float>{2.5F});
  file.tensors["empty"] = HostTensor::Zeros(DType::kF32, {0, 4});
  if (auto status = WriteTensorFile(folder + "/all.safetensors", file); !status.ok()) return status;
  return WriteTensorFile(folder + "/all.safetensors.zst", file, 19);
}

Image Noise(int width, int height, int bits, uint32_t seed) {
  Image image = Image::Filled(width, height, 0, 0, 0);
  for (uint8_t& value : image.pixels) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<uint8_t>(seed >> 24 & ~0U << (8 - bits));
  }
  return image;
}

// Few colours: exact in a GIF. Sizes around the points where the code width grows and the table is
// full.
absl::Status WriteGifs(const std::string& folder) {
  std::vector<Image> exact;
  for (int i = 0; i < 5; ++i) exact.push_back(Noise(120, 90, 2, 7 + i));
  if (auto status = WriteGif(folder + "/exact.gif", exact, 80); !status.ok()) return status;
  for (int width = 1; width < 700; width += 1 + width / 9) {
    const std::string path = folder + "/row" + std::to_string(width) + ".gif";
    if (auto status = WriteGif(path, {Noise(width, 1, 2, width)}, 50); !status.ok()) return status;
  }
  std::vector<Image> smooth;
  for (int frame = 0; frame < 4; ++frame) {
    Image image = Image::Filled(64, 64, 0, 0, 0);
    for (int i = 0; i < 64 * 64; ++i) {
      image.pixels[3 * i] = static_cast<uint8_t>(i % 64 * 3 + frame * 8);
      image.pixels[3 * i + 1] = static_cast<uint8_t>(i / 64 * 3);
      image.pixels[3 * i + 2] = static_cast<uint8_t>(100 + frame);
    }
    smooth.push_back(image);
    if (auto status = WritePng(folder + "/smooth" + std::to_string(frame) + ".png", image);
        !status.ok()) {
      return status;
    }
  }
  return WriteGif(folder + "/smooth.gif", smooth, 50);
}

absl::Status WriteImages(const std::string& folder) {
  if (auto s = WritePng(folder + "/exact0.png", Noise(120, 90, 2, 7)); !s.ok()) return s;
  if (auto s = WritePng(folder + "/noise.png", Noise(33, 17, 8, 3)); !s.ok()) return s;
  std::vector<uint16_t> depth_mm;
  for (int i = 0; i < 12; ++i) depth_mm.push_back(static_cast<uint16_t>(i * 5000));
  auto png = EncodePngGray16(4, 3, depth_mm);
  if (!png.ok()) return png.status();
  if (auto s = WriteFileAtomic(folder + "/depth.png", *png); !s.ok()) return s;
  return WriteGifs(folder);
}

absl::Status WriteEvents(const std::string& folder) {
  for (int run = 0; run < 2; ++run) {
    auto writer = EventWriter::Create(folder + "/events");
    if (!writer.ok()) return writer.status();
    for (int step = run * 10; step < run * 10 + 10; ++step) {
      if (auto s = (*writer)->Scalar("train/loss", step, 1.0 / (1 + step)); !s.ok()) return s;
    }
    if (auto s = (*writer)->Picture("frame", run * 10, Noise(33, 17, 8, 3)); !s.ok()) return s;
    if (auto s = (*writer)->Scalar("nan", int64_t{1} << 40, NAN); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status WriteAll(const std::string& folder) {
  for (auto* write : {WriteTensors, WriteImages, WriteEvents}) {
    if (absl::Status status = write(folder); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status PrintTensors(const std::string& path) {
  const auto file = ReadTensorFile(path);
  if (!file.ok()) return file.status();
  for (const auto& [key, value] : file->metadata)
    std::printf("%s=%s\n", key.c_str(), value.c_str());
  for (const auto& [name, tensor] : file->tensors) {
    std::printf("%s %s %s\n", name.c_str(), DescribeTensor(tensor).c_str(),
                Sha256Hex(tensor.data).c_str());
  }
  return absl::OkStatus();
}

absl::Status PrintPng(const std::string& path) {
  const auto bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  const auto image = DecodePng(*bytes);
  if (!image.ok()) return image.status();
  const std::string pixels(image->pixels.begin(), image->pixels.end());
  std::printf("%d %d %s\n", image->width, image->height, Sha256Hex(pixels).c_str());
  return absl::OkStatus();
}

int Run(const std::vector<std::string>& arguments) {
  std::function<absl::Status(const std::string&)> action;
  if (!arguments.empty() && arguments[0] == "write") action = WriteAll;
  if (!arguments.empty() && arguments[0] == "tensors") action = PrintTensors;
  if (!arguments.empty() && arguments[0] == "png") action = PrintPng;
  if (!action) {
    std::fprintf(stderr, "usage: io_cross_check write DIR | tensors FILE... | png FILE...\n");
    return 2;
  }
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (absl::Status status = action(arguments[i]); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace gwm::io

int main(int argc, char** argv) { return gwm::io::Run({argv + 1, argv + argc}); }
