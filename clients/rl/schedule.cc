#include "clients/rl/schedule.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace gwm::rl {

absl::StatusOr<Schedule> Schedule::Parse(std::string_view text) {
  const auto refuse = [&] {
    return absl::InvalidArgumentError("a schedule is a number or linear(first,last,steps), not '" +
                                      std::string(text) + "'");
  };
  absl::string_view rest(text.data(), text.size());
  const bool linear = absl::ConsumePrefix(&rest, "linear(");
  if (linear && !absl::ConsumeSuffix(&rest, ")")) return refuse();
  std::vector<double> numbers;
  for (const absl::string_view field : absl::StrSplit(rest, ',')) {
    numbers.emplace_back();
    if (!absl::SimpleAtod(field, &numbers.back()) || !std::isfinite(numbers.back())) {
      return refuse();
    }
  }
  if (!linear && numbers.size() == 1) return Schedule(numbers[0]);
  constexpr double kMostSteps = 1e15;
  if (!linear || numbers.size() != 3 || !(numbers[2] >= 1 && numbers[2] <= kMostSteps)) {
    return refuse();
  }
  return Schedule(numbers[0], numbers[1], static_cast<int64_t>(numbers[2]));
}

double Schedule::At(int64_t step) const {
  const double share = std::clamp(static_cast<double>(step) / duration_steps_, 0.0, 1.0);
  return (1 - share) * first_ + share * last_;
}

}  // namespace gwm::rl
