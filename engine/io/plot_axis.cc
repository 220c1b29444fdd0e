#include "engine/io/plot_axis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace gwm::io {
namespace {

// The nearest of 1, 2, 5 times a power of ten, by ratio.
double RoundStep(double rough) {
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double ratio = rough / power;
  if (ratio < std::sqrt(2.0)) return power;
  if (ratio < std::sqrt(10.0)) return 2 * power;
  return (ratio < std::sqrt(50.0) ? 5 : 10) * power;
}

std::string Plain(double value) { return absl::StrFormat("%g", value); }

}  // namespace

double Axis::Fraction(double value) const {
  if (log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
  return (value - low) / (high - low);
}

std::string TickLabel(double value, double step) {
  if (value == 0) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e9 || size < 1e-4) return absl::StrFormat("%.3g", value);
  if (step >= 1e6) return Plain(value / 1e6) + "M";
  if (step >= 1e3) return Plain(value / 1e3) + "k";
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9);
  return absl::StrFormat("%.*f", decimals, value);
}

Axis LinearAxis(double low, double high, double margin, int wanted_ticks) {
  if (low > high) return {};
  double range = high - low;
  // Differences below this get lost in the numbers themselves.
  const double least = std::max({std::abs(low), std::abs(high), 1e-300}) * 1e-9;
  if (!(range > least)) {
    range = std::max(std::abs(low) * 0.1, low == 0 && high == 0 ? 1.0 : least);
    low -= range / 2;
    high += range / 2;
  }
  Axis axis{.low = low - margin * range, .high = high + margin * range};
  const double step = RoundStep((axis.high - axis.low) / wanted_ticks);
  const double first = std::ceil(axis.low / step - 1e-9);
  const double last = std::floor(axis.high / step + 1e-9);
  const int ticks = static_cast<int>(last - first) + 1;
  for (int i = 0; i < ticks; ++i) {
    const double value = (first + i) * step;
    axis.ticks.push_back({value, TickLabel(value, step)});
  }
  return axis;
}

Axis LogAxis(double low, double high, int wanted_ticks) {
  if (low > high) return {};
  if (high < low * 1.02) {
    low /= 1.05;
    high *= 1.05;
  }
  const double decades = std::log10(high) - std::log10(low);
  const double margin = std::pow(10.0, std::min(0.04 * decades, 1.0));
  if (decades < 0.6) {
    Axis axis = LinearAxis(low / margin, high * margin, 0, wanted_ticks);
    axis.log = true;
    return axis;
  }
  Axis axis{.low = low / margin, .high = high * margin, .log = true};
  const int every = std::max(1, static_cast<int>(std::ceil(decades / wanted_ticks)));
  const int first = static_cast<int>(std::floor(std::log10(axis.low)));
  const int last = static_cast<int>(std::ceil(std::log10(axis.high)));
  for (int exponent = first; exponent <= last; ++exponent) {
    if (exponent % every != 0) continue;
    for (double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades > 2.5) break;
      const double value = factor * std::pow(10.0, exponent);
      if (value >= axis.low && value <= axis.high) axis.ticks.push_back({value, Plain(value)});
    }
  }
  return axis;
}

}  // namespace gwm::io
