// Rotations in their usual forms, in plain differentiable Torch (f32 or f64), any leading
// dimensions. Quaternions are w, x, y, z. Matrices act on column vectors. rot6d = the first two
// ROWS of the matrix (Zhou et al., 2019, in the row form that public code uses). Euler angles XYZ
// intrinsic: R = Rx Ry Rz, radians.
#ifndef GWM_ENGINE_SCENE_ROTATIONS_H_
#define GWM_ENGINE_SCENE_ROTATIONS_H_

#include <torch/torch.h>

namespace gwm {

torch::Tensor NormaliseQuat(const torch::Tensor& quats);    // unit length; zero stays finite
torch::Tensor StandardiseQuat(const torch::Tensor& quats);  // sign flipped so that w >= 0
torch::Tensor MultiplyQuat(const torch::Tensor& a, const torch::Tensor& b);  // raw product a b

torch::Tensor MatrixFromQuat(
    const torch::Tensor& quats);  // [..., 4], normalised inside -> [..., 3, 3]
torch::Tensor QuatFromMatrix(const torch::Tensor& matrices);  // w >= 0
torch::Tensor MatrixFromRot6d(const torch::Tensor& rot6d);  // [..., 6], Gram-Schmidt -> [..., 3, 3]
torch::Tensor Rot6dFromMatrix(const torch::Tensor& matrices);
torch::Tensor QuatFromAxisAngle(const torch::Tensor& axis_angle);  // [..., 3] axis times radians
torch::Tensor MatrixFromAxisAngle(const torch::Tensor& axis_angle);
torch::Tensor AxisAngleFromQuat(const torch::Tensor& quats);  // angle in [0, pi]
torch::Tensor AxisAngleFromMatrix(const torch::Tensor& matrices);
torch::Tensor EulerXyzFromMatrix(const torch::Tensor& matrices);  // [..., 3]
torch::Tensor MatrixFromEulerXyz(const torch::Tensor& angles);

}  // namespace gwm

#endif  // GWM_ENGINE_SCENE_ROTATIONS_H_
