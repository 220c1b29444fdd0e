// Projection of one Gaussian to one pinhole view and its gradient (EWA splatting, Zwicker et al.
// 2001, eq. 24-31).
//
// With m = R S (3 x 3) and the local affine map J of the projection, a = J W m is 2 x 3 and the
// screen covariance is a a^T + eps2d I. Its determinant is taken as |a_0 x a_1|^2 + ..., which
// never goes negative and does not cancel for needles; that is what makes eps2d = 0 safe in float.
#ifndef GWM_KERNELS_EWA_MATH_H_
#define GWM_KERNELS_EWA_MATH_H_

#include <cmath>

#include "kernels/host_device.h"

namespace gwm::kernels {

// Below this determinant (px^4; sigma 1e-4 px) a splat is dropped: its conic would leave the range
// of float gradients.
inline constexpr double kMinScreenDet = 1e-16;

template <typename T>
struct PinholeView {
  T rotation[9];     // W, cam_from_world
  T translation[3];  // m
  T fx, fy, cx, cy;  // px
  T u_min, u_max;    // clamp of x/z and y/z in the Jacobian
  T v_min, v_max;
};

// viewmat [4, 4], intrinsics [3, 3]; the clamp is 1.3 times half the field of view, relative to the
// principal point.
template <typename T>
GWM_HOST_DEVICE void MakePinholeView(const float* viewmat, const float* intrinsics, int width,
                                     int height, PinholeView<T>* view) {
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) view->rotation[3 * i + j] = T(viewmat[4 * i + j]);
    view->translation[i] = T(viewmat[4 * i + 3]);
  }
  view->fx = T(intrinsics[0]);
  view->fy = T(intrinsics[4]);
  view->cx = T(intrinsics[2]);
  view->cy = T(intrinsics[5]);
  const T margin_u = T(0.3) * T(0.5) * T(width) / view->fx;
  const T margin_v = T(0.3) * T(0.5) * T(height) / view->fy;
  view->u_max = (T(width) - view->cx) / view->fx + margin_u;
  view->u_min = -(view->cx / view->fx + margin_u);
  view->v_max = (T(height) - view->cy) / view->fy + margin_v;
  view->v_min = -(view->cy / view->fy + margin_v);
}

// p_cam [3] = W p + t.
template <typename T>
GWM_HOST_DEVICE void ToCamera(const PinholeView<T>& view, const T* mean, T* p_cam) {
  for (int i = 0; i < 3; ++i) {
    p_cam[i] = view.rotation[3 * i] * mean[0] + view.rotation[3 * i + 1] * mean[1] +
               view.rotation[3 * i + 2] * mean[2] + view.translation[i];
  }
}

// center [3] = camera centre in the world = -W^T t.
template <typename T>
GWM_HOST_DEVICE void CameraCenter(const PinholeView<T>& view, T* center) {
  for (int j = 0; j < 3; ++j) {
    center[j] =
        -(view.rotation[j] * view.translation[0] + view.rotation[3 + j] * view.translation[1] +
          view.rotation[6 + j] * view.translation[2]);
  }
}

template <typename T>
struct ScreenSplat {
  T mean[2];          // px
  T depth;            // m
  T variance[2];      // px^2, diagonal of the dilated covariance
  T conic[3];         // px^-2: xx, xy, yy
  T compensation;     // sqrt(det before / det after dilation); 1 when eps2d is 0
  T before[3];        // px^2: covariance xx, xy, yy before dilation
  T det_before, det;  // px^4
  T p[6];             // J W, 2 x 3
  T a[6];             // J W m, 2 x 3
  T u, v;             // clamped x/z, y/z
};

// False when the splat is degenerate. p_cam[2] > 0; m [3, 3] = R S.
template <typename T>
GWM_HOST_DEVICE bool ProjectSplat(const PinholeView<T>& view, const T* p_cam, const T* m, T eps2d,
                                  ScreenSplat<T>* s) {
  const T inv_z = T(1) / p_cam[2];
  const T* w = view.rotation;
  const T x_over_z = p_cam[0] * inv_z, y_over_z = p_cam[1] * inv_z;
  s->u = x_over_z < view.u_min ? view.u_min : (x_over_z > view.u_max ? view.u_max : x_over_z);
  s->v = y_over_z < view.v_min ? view.v_min : (y_over_z > view.v_max ? view.v_max : y_over_z);
  s->mean[0] = view.fx * x_over_z + view.cx;
  s->mean[1] = view.fy * y_over_z + view.cy;
  s->depth = p_cam[2];
  for (int j = 0; j < 3; ++j) {
    s->p[j] = view.fx * inv_z * (w[j] - s->u * w[6 + j]);
    s->p[3 + j] = view.fy * inv_z * (w[3 + j] - s->v * w[6 + j]);
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      s->a[3 * i + j] =
          s->p[3 * i] * m[j] + s->p[3 * i + 1] * m[3 + j] + s->p[3 * i + 2] * m[6 + j];
    }
  }
  const T* a = s->a;
  s->before[0] = a[0] * a[0] + a[1] * a[1] + a[2] * a[2];
  s->before[1] = a[0] * a[3] + a[1] * a[4] + a[2] * a[5];
  s->before[2] = a[3] * a[3] + a[4] * a[4] + a[5] * a[5];
  const T n0 = a[1] * a[5] - a[2] * a[4];
  const T n1 = a[2] * a[3] - a[0] * a[5];
  const T n2 = a[0] * a[4] - a[1] * a[3];
  s->det_before = n0 * n0 + n1 * n1 + n2 * n2;
  s->det = s->det_before + eps2d * (s->before[0] + s->before[2] + eps2d);
  if (!(s->det > T(kMinScreenDet))) return false;
  const T inv_det = T(1) / s->det;
  s->variance[0] = s->before[0] + eps2d;
  s->variance[1] = s->before[2] + eps2d;
  s->conic[0] = s->variance[1] * inv_det;
  s->conic[1] = -s->before[1] * inv_det;
  s->conic[2] = s->variance[0] * inv_det;
  s->compensation = std::sqrt(s->det_before * inv_det);
  return true;
}

template <typename T>
struct ScreenSplatGrad {
  T mean[2];
  T depth;
  T conic[3];  // of xx, xy, yy; xy counted once
  T compensation;
};

// grad_p_cam [3] and grad_m [3, 3] for the gradient g of a splat made by ProjectSplat of the same
// arguments.
template <typename T>
GWM_HOST_DEVICE void ProjectSplatBackward(const PinholeView<T>& view, const T* p_cam, const T* m,
                                          const ScreenSplat<T>& s, const ScreenSplatGrad<T>& g,
                                          T* grad_p_cam, T* grad_m) {
  // conic = cov^-1, so d cov = -conic (d conic) conic; the off-diagonal gradient is shared by both
  // entries.
  const T c0 = s.conic[0], c1 = s.conic[1], c2 = s.conic[2];
  const T h = T(0.5) * g.conic[1];
  const T e00 = g.conic[0] * c0 + h * c1, e01 = g.conic[0] * c1 + h * c2;
  const T e10 = h * c0 + g.conic[2] * c1, e11 = h * c1 + g.conic[2] * c2;
  T g_xx = -(c0 * e00 + c1 * e10);
  T g_xy = -T(2) * (c0 * e01 + c1 * e11);
  T g_yy = -(c1 * e01 + c2 * e11);
  if (g.compensation != T(0) && s.compensation > T(0)) {
    const T g_ratio = T(0.5) * g.compensation / s.compensation;
    const T g_before = g_ratio / s.det;
    const T g_after = -g_ratio * s.det_before / (s.det * s.det);
    g_xx += g_before * s.before[2] + g_after * s.variance[1];
    g_yy += g_before * s.before[0] + g_after * s.variance[0];
    g_xy -= T(2) * s.before[1] * (g_before + g_after);
  }
  T grad_a[6], grad_p[6];
  for (int j = 0; j < 3; ++j) {
    grad_a[j] = T(2) * g_xx * s.a[j] + g_xy * s.a[3 + j];
    grad_a[3 + j] = T(2) * g_yy * s.a[3 + j] + g_xy * s.a[j];
  }
  for (int k = 0; k < 3; ++k) {
    for (int j = 0; j < 3; ++j) {
      grad_m[3 * k + j] = s.p[k] * grad_a[j] + s.p[3 + k] * grad_a[3 + j];
    }
    grad_p[k] = grad_a[0] * m[3 * k] + grad_a[1] * m[3 * k + 1] + grad_a[2] * m[3 * k + 2];
    grad_p[3 + k] = grad_a[3] * m[3 * k] + grad_a[4] * m[3 * k + 1] + grad_a[5] * m[3 * k + 2];
  }
  // p_0 = (fx / z) (w_0 - u w_2), p_1 = (fy / z) (w_1 - v w_2).
  const T inv_z = T(1) / p_cam[2];
  const T* w = view.rotation;
  T g_u = T(0), g_v = T(0), g_z = g.depth;
  for (int j = 0; j < 3; ++j) {
    g_u -= grad_p[j] * view.fx * inv_z * w[6 + j];
    g_v -= grad_p[3 + j] * view.fy * inv_z * w[6 + j];
    g_z -= (grad_p[j] * s.p[j] + grad_p[3 + j] * s.p[3 + j]) * inv_z;
  }
  const T x_over_z = p_cam[0] * inv_z, y_over_z = p_cam[1] * inv_z;
  T g_x_over_z = g.mean[0] * view.fx, g_y_over_z = g.mean[1] * view.fy;
  if (s.u == x_over_z) g_x_over_z += g_u;
  if (s.v == y_over_z) g_y_over_z += g_v;
  grad_p_cam[0] = g_x_over_z * inv_z;
  grad_p_cam[1] = g_y_over_z * inv_z;
  grad_p_cam[2] = g_z - (g_x_over_z * x_over_z + g_y_over_z * y_over_z) * inv_z;
}

}  // namespace gwm::kernels

#endif  // GWM_KERNELS_EWA_MATH_H_
