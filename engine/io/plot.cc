// A plot of curves: layout and drawing.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/io/image.h"
#include "engine/io/plot_axis.h"

namespace gwm::io {
namespace {

constexpr int kMinWidth = 240;
constexpr int kMinHeight = 160;
constexpr int kLetterHeight = 7;
constexpr size_t kMostMarkedPoints = 40;  // longer curves have no dots
constexpr double kDotRadius = 3.2;        // in line half-widths
constexpr uint8_t kInk[3] = {40, 40, 40};
constexpr uint8_t kPale[3] = {226, 226, 226};
constexpr uint8_t kFrame[3] = {150, 150, 150};
constexpr uint8_t kCurveColours[10][3] = {
    {31, 119, 180}, {255, 127, 14},  {44, 160, 44},   {214, 39, 40},  {148, 103, 189},
    {140, 86, 75},  {227, 119, 194}, {100, 100, 100}, {170, 170, 20}, {23, 170, 190}};

struct Rect {
  int left = 0;
  int top = 0;
  int right = 0;  // one past the last
  int bottom = 0;
};

void Blend(const uint8_t (&rgb)[3], float share, int x, int y, Image& image) {
  uint8_t* pixel = &image.pixels[size_t{3} * (static_cast<size_t>(y) * image.width + x)];
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<uint8_t>(
        std::lround(pixel[c] + share * (static_cast<float>(rgb[c]) - pixel[c])));
  }
}

void FillRect(const Rect& rect, const uint8_t (&rgb)[3], Image& image) {
  for (int y = std::max(rect.top, 0); y < std::min(rect.bottom, image.height); ++y) {
    for (int x = std::max(rect.left, 0); x < std::min(rect.right, image.width); ++x) {
      Blend(rgb, 1, x, y, image);
    }
  }
}

struct Point {
  double x;
  double y;
};

double DistanceToSegment(Point p, Point a, Point b) {
  const double dx = b.x - a.x;
  const double dy = b.y - a.y;
  const double length_squared = dx * dx + dy * dy;
  double t = 0;
  if (length_squared > 0) {
    t = std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length_squared, 0.0, 1.0);
  }
  return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

// How much of each pixel of `area` one curve covers: collected first and blended once, so that
// joints stay even.
class Coverage {
 public:
  explicit Coverage(const Rect& area)
      : area_(area),
        share_(static_cast<size_t>(area.right - area.left) * (area.bottom - area.top)) {}

  void AddSegment(Point a, Point b, double half_width) {
    const double reach = half_width + 0.5;
    const Rect box = {std::max(area_.left, FloorToInt(std::min(a.x, b.x) - reach)),
                      std::max(area_.top, FloorToInt(std::min(a.y, b.y) - reach)),
                      std::min(area_.right, FloorToInt(std::max(a.x, b.x) + reach) + 1),
                      std::min(area_.bottom, FloorToInt(std::max(a.y, b.y) + reach) + 1)};
    for (int y = box.top; y < box.bottom; ++y) {
      for (int x = box.left; x < box.right; ++x) {
        const double distance = DistanceToSegment({x + 0.5, y + 0.5}, a, b);
        float& share = share_[static_cast<size_t>(y - area_.top) * (area_.right - area_.left) +
                              (x - area_.left)];
        share = std::max(share, static_cast<float>(std::clamp(reach - distance, 0.0, 1.0)));
      }
    }
  }

  void BlendInto(const uint8_t (&rgb)[3], Image& image) const {
    size_t i = 0;
    for (int y = area_.top; y < area_.bottom; ++y) {
      for (int x = area_.left; x < area_.right; ++x, ++i) {
        if (share_[i] > 0) Blend(rgb, share_[i], x, y, image);
      }
    }
  }

 private:
  static int FloorToInt(double value) {
    return static_cast<int>(std::floor(std::clamp(value, -1e6, 1e6)));
  }
  Rect area_;
  std::vector<float> share_;
};

// Beyond these the difference or the quotient of two values is no longer finite. False for
// not-a-number.
bool IsShown(double x, double y, bool log_y) {
  constexpr double kLargest = 1e300;
  return std::abs(x) <= kLargest && std::abs(y) <= kLargest && (!log_y || y >= 1 / kLargest);
}

struct Limits {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// The plot's two axes and where they lie in the image.
struct Frame {
  Axis x;
  Axis y;
  Rect area;

  Point ToPixels(double value_x, double value_y) const {
    return {area.left + x.Fraction(value_x) * (area.right - area.left),
            area.bottom - y.Fraction(value_y) * (area.bottom - area.top)};
  }
};

void DrawCurve(const Curve& curve, const Frame& frame, bool log_y, int scale,
               const uint8_t (&rgb)[3], Image& image) {
  Coverage coverage(frame.area);
  const double half_width = 0.4 + 0.35 * scale;
  Point previous{};
  int run = 0;  // points since the last gap
  const size_t count = std::min(curve.x.size(), curve.y.size());
  for (size_t i = 0; i <= count; ++i) {
    if (i == count || !IsShown(curve.x[i], curve.y[i], log_y)) {
      if (run == 1) coverage.AddSegment(previous, previous, kDotRadius * half_width);
      run = 0;
      continue;
    }
    const Point point = frame.ToPixels(curve.x[i], curve.y[i]);
    if (run > 0) coverage.AddSegment(previous, point, half_width);
    if (count <= kMostMarkedPoints) coverage.AddSegment(point, point, kDotRadius * half_width);
    previous = point;
    ++run;
  }
  coverage.BlendInto(rgb, image);
}

void DrawGrid(const Frame& frame, int scale, Image& image) {
  const Rect& area = frame.area;
  for (const Tick& tick : frame.y.ticks) {
    const int row = static_cast<int>(frame.ToPixels(0, tick.value).y);
    FillRect({area.left, row, area.right, row + 1}, kPale, image);
    DrawText(tick.label, area.left - (TextWidth(tick.label, scale) + 4 * scale),
             row - kLetterHeight * scale / 2, scale, kInk, image);
  }
  for (const Tick& tick : frame.x.ticks) {
    const int column = static_cast<int>(frame.ToPixels(tick.value, frame.y.low).x);
    FillRect({column, area.top, column + 1, area.bottom}, kPale, image);
    const int width = TextWidth(tick.label, scale);
    const int left = std::clamp(column - width / 2, 0, std::max(0, image.width - width - 1));
    DrawText(tick.label, left, area.bottom + 4 * scale, scale, kInk, image);
  }
}

void DrawBorder(const Rect& area, Image& image) {
  FillRect({area.left, area.top, area.left + 1, area.bottom}, kFrame, image);
  FillRect({area.left, area.bottom - 1, area.right, area.bottom}, kFrame, image);
}

// One line of label per curve, as many in a row as fit. Returns the row below the legend.
int DrawLegend(const std::vector<Curve>& curves, int left, int top, int right, int scale,
               Image& image) {
  const int mark = 10 * scale;
  const int line = (kLetterHeight + 5) * scale;
  int x = left;
  int y = top;
  bool any = false;
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].label.empty()) continue;
    const int width = mark + 4 * scale + TextWidth(curves[i].label, scale);
    if (x > left && x + width > right) {
      x = left;
      y += line;
    }
    const int middle = y + kLetterHeight * scale / 2;
    FillRect({x, middle - scale, x + mark, middle + scale}, kCurveColours[i % 10], image);
    DrawText(curves[i].label, x + mark + 4 * scale, y, scale, kInk, image);
    x += width + 10 * scale;
    any = true;
  }
  return any ? y + line : top;
}

Frame MakeFrame(const std::vector<Curve>& curves, const PlotOptions& options) {
  Limits x;
  Limits y;
  for (const Curve& curve : curves) {
    for (size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
      if (!IsShown(curve.x[i], curve.y[i], options.log_y)) continue;
      x.Add(curve.x[i]);
      y.Add(curve.y[i]);
    }
  }
  Frame frame;
  frame.x = LinearAxis(x.low, x.high, 0.015, 8);
  frame.y = options.log_y ? LogAxis(y.low, y.high, 6) : LinearAxis(y.low, y.high, 0.05, 6);
  return frame;
}

void DrawCentred(const std::string& text, int left, int right, int y, int scale, Image& image) {
  DrawText(text, left + std::max(0, (right - left - TextWidth(text, scale)) / 2), y, scale, kInk,
           image);
}

}  // namespace

Image PlotCurves(const std::vector<Curve>& curves, const PlotOptions& options) {
  Image image = Image::Filled(std::max(options.width, kMinWidth),
                              std::max(options.height, kMinHeight), 255, 255, 255);
  const int scale = std::max(1, (image.width + 240) / 480);
  const int title_scale = std::max(2, scale);
  const int gap = 6 * scale;
  Frame frame = MakeFrame(curves, options);

  int tick_width = 0;
  for (const Tick& tick : frame.y.ticks) {
    tick_width = std::max(tick_width, TextWidth(tick.label, scale));
  }
  Rect& area = frame.area;
  area.left = gap + tick_width + 4 * scale;
  area.right = image.width - 3 * gap;
  area.top = gap;
  if (!options.title.empty()) {
    DrawCentred(options.title, 0, image.width, area.top, title_scale, image);
    area.top += (kLetterHeight + 2) * title_scale + gap;
  }
  area.top = DrawLegend(curves, area.left, area.top, area.right, scale, image) + gap / 2;
  area.bottom = image.height - gap - (kLetterHeight + 4) * scale;
  if (!options.x_label.empty()) {
    area.bottom -= kLetterHeight * scale + gap;
    DrawCentred(options.x_label, area.left, area.right, image.height - gap - kLetterHeight * scale,
                scale, image);
  }
  if (area.bottom - area.top < 20 || area.right - area.left < 20) return image;
  if (frame.y.ticks.empty()) {
    DrawCentred("no data", area.left, area.right, (area.top + area.bottom) / 2, scale, image);
    DrawBorder(area, image);
    return image;
  }
  DrawGrid(frame, scale, image);
  DrawBorder(area, image);
  for (size_t i = 0; i < curves.size(); ++i) {
    DrawCurve(curves[i], frame, options.log_y, scale, kCurveColours[i % 10], image);
  }
  return image;
}

}  // namespace gwm::io
