#include "engine/train/contact_sheet.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/scene/render.h"

namespace gwm {
namespace {

constexpr int kZoom = 3;
constexpr int kGap = 6;
constexpr int kTop = 28;      // above the first row
constexpr int kCaption = 18;  // above each row's images
constexpr uint8_t kBlack[3] = {0, 0, 0};

}  // namespace

io::Image ToImage(const torch::Tensor& rgb) {
  auto bytes = ToU8(rgb).contiguous();
  io::Image image{static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)), {}};
  image.pixels.assign(bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel());
  return image;
}

io::Image DrawContactSheet(const std::map<std::string, std::vector<SheetCell>>& rows) {
  size_t columns = 0;
  int cell_w = 0, cell_h = 0;
  for (const auto& [task, cells] : rows) {
    columns = std::max(columns, cells.size());
    cell_w = static_cast<int>(cells.front().real.size(1)) * kZoom;
    cell_h = static_cast<int>(cells.front().real.size(0)) * kZoom;
  }
  const int group_w = 3 * cell_w + 4 * kGap;
  const int row_h = cell_h + kCaption + kGap;
  auto sheet = io::Image::Filled(std::max(1, static_cast<int>(columns) * group_w),
                                 kTop + static_cast<int>(rows.size()) * row_h, 255, 255, 255);
  int y = kTop;
  for (const auto& [task, cells] : rows) {
    io::DrawText(task, 4, y, 2, kBlack, sheet);
    for (size_t c = 0; c < cells.size(); ++c) {
      int x = static_cast<int>(c) * group_w;
      if (y == kTop) {
        const auto caption =
            absl::StrCat("h=", cells[c].horizon, ": real | imagined | repeat-last");
        io::DrawText(caption, x + 4, 6, 2, kBlack, sheet);
      }
      for (const auto* image : {&cells[c].real, &cells[c].imagined, &cells[c].repeat}) {
        io::Paste(io::Upscale(ToImage(*image), kZoom), x, y + kCaption, sheet);
        x += cell_w + kGap;
      }
    }
    y += row_h;
  }
  return sheet;
}

}  // namespace gwm
