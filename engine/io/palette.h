// A palette of at most 256 colours for a set of pixels.
#ifndef GWM_ENGINE_IO_PALETTE_H_
#define GWM_ENGINE_IO_PALETTE_H_

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace gwm::io {

using Rgb = std::array<uint8_t, 3>;

// Median cut over `colours` (repeats count as weight): the box with the largest squared error is
// split at the mean of its widest channel until there are 256. Up to 256 different colours are
// returned as they are. Deterministic.
std::vector<Rgb> ChoosePalette(std::vector<Rgb> colours);

// Nearest palette entry of a colour, remembered per colour. Thread-compatible.
class PaletteMap {
 public:
  // `palette` has 1 to 256 entries.
  explicit PaletteMap(std::vector<Rgb> palette) : palette_(std::move(palette)) {}
  uint8_t Nearest(Rgb colour);

 private:
  std::vector<Rgb> palette_;
  std::unordered_map<uint32_t, uint8_t> known_;
};

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_PALETTE_H_
