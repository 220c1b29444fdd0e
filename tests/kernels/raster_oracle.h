// The renderer's definition in double, one pixel and one Gaussian at a time, written apart from the
// kernels.
#ifndef GWM_TESTS_KERNELS_RASTER_ORACLE_H_
#define GWM_TESTS_KERNELS_RASTER_ORACLE_H_

#include <vector>

#include "tests/kernels/raster_scene.h"

namespace gwm::kernels {

struct OracleImages {
  std::vector<double> rgb, alpha, depth;
};

// Every differentiable input in double, so that a step of 1e-6 can be taken.
struct OracleParameters {
  explicit OracleParameters(const RasterScene& scene);
  std::vector<double> means, quats, scales, opacities, colors, background;
};

OracleImages RenderOracle(const RasterScene& scene, const OracleParameters& parameters);

// Central differences of the weighted sum of RenderGradients with respect to `values`, which must
// be a member of `parameters`.
std::vector<double> OracleGradient(const RasterScene& scene, const RasterImages& weights,
                                   OracleParameters* parameters, std::vector<double>* values);

}  // namespace gwm::kernels

#endif  // GWM_TESTS_KERNELS_RASTER_ORACLE_H_
