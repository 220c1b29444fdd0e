// One golden case: its tensors, its hyper-parameters, and the record of what was checked.
#ifndef GWM_TESTS_GOLDEN_CASE_H_
#define GWM_TESTS_GOLDEN_CASE_H_

#include <torch/torch.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/golden/tolerance.h"

namespace gwm::golden {

// The file's tensors are named in.*, w.*, out.* and grad.*. An adapter reads inputs, computes, and
// calls Check once per output that it knows; afterwards every out.* and grad.* tensor that was not
// checked counts as a failure.
class Case {
 public:
  // InvalidArgument or NotFound when the file cannot be read or has no "op".
  static absl::StatusOr<Case> Open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& op() const { return op_; }
  const ToleranceText& tolerance() const { return tolerance_; }
  const nlohmann::json& params() const { return params_; }

  // A hyper-parameter; throws when the case does not have it.
  template <typename T>
  T Param(const std::string& key) const {
    return params_.at(key).get<T>();
  }
  template <typename T>
  T ParamOr(const std::string& key, T fallback) const {
    const auto found = params_.find(key);
    return found == params_.end() || found->is_null() ? fallback : found->template get<T>();
  }

  bool Has(const std::string& name) const { return tensors_.count(name) > 0; }
  // The named tensor; throws std::out_of_range that names it when it is absent.
  torch::Tensor Get(const std::string& name) const;
  // The same, undefined when it is absent.
  torch::Tensor Find(const std::string& name) const;
  // Tensors whose names start with `prefix`, by the rest of their names.
  std::map<std::string, torch::Tensor> WithPrefix(const std::string& prefix) const;
  // Has the case an output or gradient of that name?
  bool Wants(const std::string& name) const { return Has(name); }

  // Compares `value` with the case's tensor `name`; does nothing when the case has none. A shape
  // that differs fails.
  void Check(const std::string& name, const torch::Tensor& value, const Tolerance& tolerance,
             const torch::Tensor& mask = {});
  // Compares every grad.<name> with the gradient of `loss` by leaves[name].
  void CheckGradients(const torch::Tensor& loss, const std::map<std::string, torch::Tensor>& leaves,
                      const Tolerance& tolerance);
  void Fail(const std::string& reason) { failures_.push_back(reason); }

  // Records a failure for each out.* and grad.* tensor that no Check named.
  void FailUnchecked();

  const std::vector<std::string>& failures() const { return failures_; }
  double max_abs() const { return max_abs_; }
  double max_rel() const { return max_rel_; }

 private:
  Case(std::string path, std::string op, std::string_view tolerance)
      : path_(std::move(path)), op_(std::move(op)), tolerance_(tolerance) {}

  std::string path_;
  std::string op_;
  ToleranceText tolerance_;
  nlohmann::json params_;
  std::map<std::string, torch::Tensor> tensors_;
  std::set<std::string> checked_;
  std::vector<std::string> failures_;
  double max_abs_ = 0;
  double max_rel_ = 0;
};

}  // namespace gwm::golden

#endif  // GWM_TESTS_GOLDEN_CASE_H_
