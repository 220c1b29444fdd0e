// Point sets and rotations: farthest point sampling, Chamfer distance, conversions of rotations.
#include <functional>
#include <set>

#include "engine/scene/rotations.h"
#include "kernels/fps.h"
#include "kernels/nearest.h"
#include "tests/golden/kernel_call.h"
#include "tests/golden/ops.h"

namespace gwm::golden {
namespace {

// i64 [B] copy of an optional tensor that may also be a scalar for all clouds.
torch::Tensor PerCloud(const torch::Tensor& x, int64_t batch) {
  if (!x.defined()) return {};
  return x.to(torch::kInt64).reshape({-1}).expand({batch}).contiguous();
}

// points [B, N, D] -> indices [B, K].
torch::Tensor SampleIndices(const torch::Tensor& points, const torch::Tensor& lengths,
                            const torch::Tensor& counts, int64_t samples) {
  const torch::Tensor indices = torch::empty({points.size(0), samples}, torch::kInt64);
  const kernels::FpsArgs args{.points = points.data_ptr<float>(),
                              .lengths = Data<int64_t>(lengths),
                              .counts = Data<int64_t>(counts),
                              .batch = points.size(0),
                              .num_points = points.size(1),
                              .dims = points.size(2),
                              .num_samples = samples,
                              .indices = indices.data_ptr<int64_t>()};
  std::vector<float> scratch(kernels::FpsScratchFloats(args));
  Require(kernels::FarthestPointSample(args, scratch.data()), "FarthestPointSample");
  return indices;
}

// The sampled points [B, K, D]; zero where the index is -1.
torch::Tensor GatherPoints(const torch::Tensor& points, const torch::Tensor& indices) {
  const torch::Tensor rows = indices.clamp_min(0).unsqueeze(-1).expand({-1, -1, points.size(2)});
  return points.gather(1, rows) * (indices >= 0).unsqueeze(-1);
}

// Groups in.<g>.points [N, D] or [B, N, D], optional in.<g>.lengths and in.<g>.K; out.<g>.indices,
// out.<g>.points.
void RunFps(Case& golden) {
  for (const auto& [name, stored] : golden.WithPrefix("in.")) {
    if (name != "points" && !name.ends_with(".points")) continue;
    const std::string group = name.substr(0, name.size() - std::string("points").size());
    const torch::Tensor wanted = golden.Get("out." + group + "indices");
    const bool batched = stored.dim() == 3;
    const torch::Tensor points = F32(batched ? stored : stored.unsqueeze(0));
    const torch::Tensor lengths = PerCloud(golden.Find("in." + group + "lengths"), points.size(0));
    const torch::Tensor counts = PerCloud(golden.Find("in." + group + "K"), points.size(0));
    const torch::Tensor indices = SampleIndices(points, lengths, counts, wanted.size(-1));
    golden.Check("out." + group + "indices", batched ? indices : indices[0], {});
    const torch::Tensor sampled = GatherPoints(points, indices);
    golden.Check("out." + group + "points", batched ? sampled : sampled[0], {});
  }
}

struct Nearest {
  torch::Tensor sqdist;  // [B, N], 0 beyond the length
  torch::Tensor index;   // [B, N], -1 beyond the length
};

struct Clouds {
  torch::Tensor points;   // [B, N, D]
  torch::Tensor lengths;  // [B] or undefined

  // Points per cloud as a divisor, [B].
  torch::Tensor counts() const {
    if (!lengths.defined()) return torch::full({points.size(0)}, points.size(1), torch::kFloat32);
    return lengths.to(torch::kFloat32).clamp_min(1);
  }
};

Nearest FindNearest(const Clouds& from, const Clouds& to) {
  const int64_t batch = from.points.size(0), n = from.points.size(1);
  Nearest nearest{torch::empty({batch, n}), torch::empty({batch, n}, torch::kInt64)};
  Require(kernels::NearestNeighbours({.queries = from.points.data_ptr<float>(),
                                      .targets = to.points.data_ptr<float>(),
                                      .query_lengths = Data<int64_t>(from.lengths),
                                      .target_lengths = Data<int64_t>(to.lengths),
                                      .batch = batch,
                                      .num_queries = n,
                                      .num_targets = to.points.size(1),
                                      .dims = from.points.size(2),
                                      .sqdist = nearest.sqdist.data_ptr<float>(),
                                      .index = nearest.index.data_ptr<int64_t>()}),
          "NearestNeighbours");
  return nearest;
}

// Adds the gradient of mean over batch of (sum of squared distances / points) to both sides.
void AddGradient(const Clouds& from, const Clouds& to, const Nearest& nearest,
                 const torch::Tensor& grad_from, const torch::Tensor& grad_to) {
  const int64_t batch = from.points.size(0);
  const torch::Tensor weight = (1 / (from.counts() * static_cast<double>(batch)))
                                   .unsqueeze(1)
                                   .expand_as(nearest.sqdist)
                                   .contiguous();
  Require(kernels::NearestBackward({.queries = from.points.data_ptr<float>(),
                                    .targets = to.points.data_ptr<float>(),
                                    .index = nearest.index.data_ptr<int64_t>(),
                                    .grad_sqdist = weight.data_ptr<float>(),
                                    .batch = batch,
                                    .num_queries = from.points.size(1),
                                    .num_targets = to.points.size(1),
                                    .dims = from.points.size(2),
                                    .grad_queries = grad_from.data_ptr<float>(),
                                    .grad_targets = grad_to.data_ptr<float>()}),
          "NearestBackward");
}

void RunChamfer(Case& golden) {
  Clouds x{F32(golden.Get("in.x")), {}}, y{F32(golden.Get("in.y")), {}};
  x.lengths = PerCloud(golden.Find("in.x_lengths"), x.points.size(0));
  y.lengths = PerCloud(golden.Find("in.y_lengths"), y.points.size(0));
  const Nearest forward = FindNearest(x, y), backward = FindNearest(y, x);
  const torch::Tensor sum_x = forward.sqdist.sum(1), sum_y = backward.sqdist.sum(1);
  const Tolerance tolerance = golden.tolerance().General({1e-6, 1e-5});
  golden.Check("out.nn_x_to_y", forward.index, {});
  golden.Check("out.nn_y_to_x", backward.index, {});
  golden.Check("out.loss_mean", (sum_x / x.counts() + sum_y / y.counts()).mean(), tolerance);
  golden.Check("out.loss_sum", sum_x + sum_y, tolerance);
  golden.Check("out.loss_max", torch::maximum(forward.sqdist.amax(1), backward.sqdist.amax(1)),
               tolerance);
  golden.Check("out.loss_single_x_to_y", (sum_x / x.counts()).mean(), tolerance);
  golden.Check("out.loss_single_y_to_x", (sum_y / y.counts()).mean(), tolerance);
  const torch::Tensor grad_x = torch::zeros_like(x.points), grad_y = torch::zeros_like(y.points);
  AddGradient(x, y, forward, grad_x, grad_y);
  AddGradient(y, x, backward, grad_y, grad_x);
  golden.Check("grad.in.x", grad_x, tolerance);
  golden.Check("grad.in.y", grad_y, tolerance);
}

// `quats` with each row's sign chosen to agree with `reference`.
torch::Tensor AlignSign(const torch::Tensor& quats, const torch::Tensor& reference) {
  if (!reference.defined() || reference.sizes() != quats.sizes()) return quats;
  return torch::where((quats * reference).sum(-1, /*keepdim=*/true) < 0, -quats, quats);
}

void RunRotations(Case& golden) {
  const Tolerance tolerance = golden.tolerance().General({1e-9, 0});
  const std::map<std::string, torch::Tensor> in = golden.WithPrefix("in.");
  auto check = [&](const std::string& name, const std::vector<std::string>& inputs,
                   const std::function<torch::Tensor()>& compute) {
    for (const std::string& input : inputs) {
      if (in.count(input) == 0) return;
    }
    if (golden.Wants("out." + name)) golden.Check("out." + name, compute(), tolerance);
  };
  auto check_quat = [&](const std::string& name, const std::vector<std::string>& inputs,
                        const std::function<torch::Tensor()>& compute) {
    check(name, inputs, [&] { return AlignSign(compute(), golden.Find("out." + name)); });
  };
  auto quat = [&] { return in.at("quat_wxyz"); };
  auto matrix = [&] { return MatrixFromQuat(quat()); };
  auto axis_angle = [&] { return in.at("axis_angle"); };
  check("matrix", {"quat_wxyz"}, matrix);
  check_quat("matrix_to_quat", {"quat_wxyz"}, [&] { return QuatFromMatrix(matrix()); });
  check("matrix_to_rot6d", {"quat_wxyz"}, [&] { return Rot6dFromMatrix(matrix()); });
  check("rot6d_to_matrix", {"rot6d"}, [&] { return MatrixFromRot6d(in.at("rot6d")); });
  check("axis_angle_to_matrix", {"axis_angle"}, [&] { return MatrixFromAxisAngle(axis_angle()); });
  check_quat("axis_angle_to_quat", {"axis_angle"}, [&] { return QuatFromAxisAngle(axis_angle()); });
  check_quat("quat_raw_multiply", {"quat_wxyz", "quat_b_wxyz"},
             [&] { return MultiplyQuat(quat(), in.at("quat_b_wxyz")); });
  check_quat("standardized", {"quat_wxyz"}, [&] { return StandardiseQuat(quat()); });
  check("matrix_to_axis_angle", {"axis_angle"},
        [&] { return AxisAngleFromMatrix(MatrixFromAxisAngle(axis_angle())); });
  check("quat_to_axis_angle", {"quat_wxyz"}, [&] { return AxisAngleFromQuat(quat()); });
  check("euler_xyz", {"quat_wxyz"}, [&] { return EulerXyzFromMatrix(matrix()); });
  check("euler_to_matrix", {"euler_xyz"}, [&] { return MatrixFromEulerXyz(in.at("euler_xyz")); });
}

}  // namespace

std::vector<Op> PointOps() {
  return {{"fps", RunFps}, {"chamfer", RunChamfer}, {"rotations", RunRotations}};
}

}  // namespace gwm::golden
