// Inputs and comparisons shared by the kernel tests.
#ifndef GWM_TESTS_KERNELS_TEST_SUPPORT_H_
#define GWM_TESTS_KERNELS_TEST_SUPPORT_H_

#include <cmath>
#include <cstdint>
#include <vector>

namespace gwm::kernels {

// The portable generator of the golden point sets: s <- (1103515245 s + 12345) mod 2^31 from s =
// seed, u = s / 2^31.
class Lcg {
 public:
  explicit Lcg(uint64_t seed = 1) : state_(seed) {}
  double Next() {
    state_ = (1103515245 * state_ + 12345) % (uint64_t{1} << 31);
    return static_cast<double>(state_) / 2147483648.0;
  }
  float Uniform(float low, float high) { return low + (high - low) * static_cast<float>(Next()); }
  // Roughly normal: the sum of twelve uniforms.
  float Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Next();
    return static_cast<float>(sum);
  }

 private:
  uint64_t state_;
};

inline std::vector<float> UniformFloats(Lcg* lcg, int64_t n, float low, float high) {
  std::vector<float> v(n);
  for (float& x : v) x = lcg->Uniform(low, high);
  return v;
}

// A copy that starts one float past a 64-byte boundary: no vector load of it is aligned.
class Misaligned {
 public:
  explicit Misaligned(const std::vector<float>& values) : storage_(values.size() + 32) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    offset_ = (64 - address % 64) % 64 / sizeof(float) + 1;
    for (size_t i = 0; i < values.size(); ++i) storage_[offset_ + i] = values[i];
  }
  float* data() { return storage_.data() + offset_; }

 private:
  std::vector<float> storage_;
  size_t offset_ = 0;
};

// How well `got` follows `want` as a whole: elementwise tolerances hide a systematic bias.
struct VectorMatch {
  double cosine = 0;        // 1 = same direction
  double length_ratio = 0;  // |got| / |want|
  double worst_abs = 0;     // largest |got - want|
  double worst_excess = 0;  // largest |got - want| / (abs + rel |want|)
};

template <typename Got, typename Want>
VectorMatch Match(const std::vector<Got>& got, const std::vector<Want>& want, double abs,
                  double rel) {
  double dot = 0, got2 = 0, want2 = 0;
  VectorMatch match;
  for (size_t i = 0; i < got.size(); ++i) {
    const double a = got[i], b = want[i], error = std::abs(a - b);
    dot += a * b;
    got2 += a * a;
    want2 += b * b;
    match.worst_abs = std::fmax(match.worst_abs, error);
    match.worst_excess = std::fmax(match.worst_excess, error / (abs + rel * std::abs(b)));
    if (std::isnan(a)) match.worst_excess = INFINITY;
  }
  match.cosine = got2 > 0 && want2 > 0 ? dot / std::sqrt(got2 * want2) : (got2 == want2);
  match.length_ratio = want2 > 0 ? std::sqrt(got2 / want2) : (got2 == 0);
  return match;
}

}  // namespace gwm::kernels

#endif  // GWM_TESTS_KERNELS_TEST_SUPPORT_H_
