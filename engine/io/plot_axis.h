// Axes of a plot: range, round ticks and their labels.
#ifndef GWM_ENGINE_IO_PLOT_AXIS_H_
#define GWM_ENGINE_IO_PLOT_AXIS_H_

#include <string>
#include <vector>

namespace gwm::io {

struct Tick {
  double value;
  std::string label;
};

struct Axis {
  double low = 0;  // value at the start; a logarithmic axis has low > 0
  double high = 1;
  bool log = false;
  std::vector<Tick> ticks;  // rising, within [low, high]; empty when there is nothing to show

  // 0 at low, 1 at high. A logarithmic axis requires value > 0.
  double Fraction(double value) const;
};

// All limits are within +-1e300, and from 1e-300 on a logarithmic axis.
//
// Ticks at multiples of 1, 2 or 5 times a power of ten, about `wanted_ticks` of them. `margin` is
// added on both sides as a share of the range; an empty range is widened. No ticks when low > high.
Axis LinearAxis(double low, double high, double margin, int wanted_ticks);

// Ticks at powers of ten; also at 2 and 5 times them where the range is short. Requires 0 < low
// unless low > high.
Axis LogAxis(double low, double high, int wanted_ticks);

// Short decimal form of a multiple of `step`: "0.25", "1500", "20k", "1e-07".
std::string TickLabel(double value, double step);

}  // namespace gwm::io

#endif  // GWM_ENGINE_IO_PLOT_AXIS_H_
