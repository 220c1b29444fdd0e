#include "tests/golden/tolerance.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <regex>
#include <sstream>

namespace gwm::golden {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// The number that `word` starts with, if it is one.
std::optional<double> Number(const std::string& word) {
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (end == word.c_str()) return std::nullopt;
  return value;
}

}  // namespace

ToleranceText::ToleranceText(std::string_view text) : text_(Lower(text)) {
  std::string piece;
  int depth = 0;
  for (const char c : text_) {
    if (c == '(' || c == ')' || c == ';') {
      ParsePiece(piece, depth > 0);
      piece.clear();
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      if (c == ';') clauses_.push_back({});  // the next piece starts afresh
    } else {
      piece += c;
    }
  }
  ParsePiece(piece, depth > 0);
  std::erase_if(clauses_, [](const Clause& c) { return c.label.empty() && !c.abs && !c.rel; });
}

void ToleranceText::ParsePiece(std::string_view piece, bool in_parentheses) {
  std::istringstream stream{std::string(piece)};
  std::string word, words;
  bool fresh = true;  // a piece opens a clause of its own at its first number
  while (stream >> word) {
    const bool is_abs = word == "abs", is_rel = word == "rel";
    if (!is_abs && !is_rel) {
      words += word + " ";
      continue;
    }
    if (!(stream >> word)) break;
    const std::optional<double> number = Number(word);
    if (!number) continue;
    const bool taken = !clauses_.empty() && (is_abs ? clauses_.back().abs : clauses_.back().rel);
    if (fresh || taken) clauses_.push_back({words, {}, {}, in_parentheses});
    if (fresh || taken) words.clear();
    fresh = false;
    (is_abs ? clauses_.back().abs : clauses_.back().rel) = number;
  }
  if (words.empty()) return;
  // Words without a number of their own describe the clause before them.
  if (clauses_.empty()) clauses_.push_back({});
  clauses_.back().label += words;
}

Tolerance ToleranceText::For(std::initializer_list<std::string_view> words,
                             Tolerance fallback) const {
  for (const Clause& clause : clauses_) {
    for (const std::string_view word : words) {
      if (clause.label.find(word) == std::string::npos || !(clause.abs || clause.rel)) continue;
      const Tolerance general = clause.in_parentheses ? General({}) : Tolerance{};
      return {clause.abs.value_or(general.abs), clause.rel.value_or(general.rel)};
    }
  }
  return fallback;
}

Tolerance ToleranceText::General(Tolerance fallback) const {
  for (const Clause& clause : clauses_) {
    if (!clause.in_parentheses && (clause.abs || clause.rel)) {
      return {clause.abs.value_or(0), clause.rel.value_or(0)};
    }
  }
  return text_.find("exact") != std::string::npos ? Tolerance{} : fallback;
}

std::optional<double> ToleranceText::Percentage() const {
  static const std::regex kPattern(R"(([0-9.]+)\s*%\s*of entries)");
  std::smatch match;
  if (!std::regex_search(text_, match, kPattern)) return std::nullopt;
  return std::strtod(match[1].str().c_str(), nullptr) / 100;
}

Difference Compare(const torch::Tensor& value, const torch::Tensor& reference,
                   const Tolerance& tolerance, const torch::Tensor& mask) {
  torch::NoGradGuard no_grad;
  const torch::Tensor x = value.detach().to(torch::kFloat64).contiguous().flatten();
  const torch::Tensor ref = reference.to(torch::kFloat64).contiguous().flatten();
  const torch::Tensor kept =
      mask.defined() ? mask.to(torch::kBool).contiguous().flatten() : torch::Tensor();
  Difference difference;
  int64_t counted = 0, outside = 0;
  for (int64_t i = 0; i < ref.numel(); ++i) {
    if (kept.defined() && !kept.data_ptr<bool>()[i]) continue;
    ++counted;
    const double a = x.data_ptr<double>()[i], b = ref.data_ptr<double>()[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    double gap = std::abs(a - b);
    if (std::isnan(gap)) gap = std::numeric_limits<double>::infinity();
    difference.max_abs = std::max(difference.max_abs, gap);
    difference.max_rel = std::max(difference.max_rel, gap / std::max(std::abs(b), 1e-8));
    if (gap <= tolerance.abs + tolerance.rel * std::abs(b)) continue;
    ++outside;
    if (!(gap <= tolerance.outlier_abs)) difference.met = false;
  }
  if (counted > 0) difference.violations = static_cast<double>(outside) / counted;
  if (difference.violations > tolerance.outliers) difference.met = false;
  return difference;
}

}  // namespace gwm::golden
