// The free text that says how closely a golden case must be met, and the comparison itself.
#ifndef GWM_TESTS_GOLDEN_TOLERANCE_H_
#define GWM_TESTS_GOLDEN_TOLERANCE_H_

#include <torch/torch.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gwm::golden {

// |x - ref| <= abs + rel * |ref| for all entries but a share of `outliers`, which must meet
// outlier_abs.
struct Tolerance {
  double abs = 0;
  double rel = 0;
  double outliers = 0;     // in [0, 1]
  double outlier_abs = 0;  // ignored when outliers = 0
};

// Texts such as "abs 2e-5 rel 1e-4 (outputs); gradients abs 2e-6 rel 1e-3", "abs 2e-6 (time: abs
// 1e-5)", "exact".
class ToleranceText {
 public:
  explicit ToleranceText(std::string_view text);

  // The first clause whose label contains one of `words`; otherwise `fallback`. A part that a
  // clause in parentheses leaves out comes from the first clause.
  Tolerance For(std::initializer_list<std::string_view> words, Tolerance fallback) const;
  // The first clause outside parentheses that has numbers; zero when the text says "exact";
  // otherwise `fallback`.
  Tolerance General(Tolerance fallback) const;
  // The first number before "% of entries", as a share of 1.
  std::optional<double> Percentage() const;

 private:
  struct Clause {
    std::string label;  // lower case
    std::optional<double> abs, rel;
    bool in_parentheses = false;
  };
  void ParsePiece(std::string_view piece, bool in_parentheses);

  std::string text_;
  std::vector<Clause> clauses_;
};

struct Difference {
  double max_abs = 0;
  double max_rel = 0;     // |x - ref| / max(|ref|, 1e-8)
  double violations = 0;  // share of entries outside abs + rel * |ref|
  bool met = true;
};
// Both of the same shape. Equal infinities and NaN on both sides agree. Entries where `mask` (bool,
// same shape) is false do not count.
Difference Compare(const torch::Tensor& value, const torch::Tensor& reference,
                   const Tolerance& tolerance, const torch::Tensor& mask = {});

}  // namespace gwm::golden

#endif  // GWM_TESTS_GOLDEN_TOLERANCE_H_
