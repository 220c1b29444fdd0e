// What makes camera matrices usable.
#ifndef GWM_SERVER_CONVERT_CAMERA_CHECK_H_
#define GWM_SERVER_CONVERT_CAMERA_CHECK_H_

#include <span>
#include <string>

namespace gwm::server {

// Row-major [3, 3]: finite, fx and fy > 0, no skew. The problem in words; empty: none.
std::string IntrinsicsProblem(std::span<const float> k);
// Row-major [4, 4]: finite, rigid to 1e-3. The problem in words; empty: none.
std::string PoseProblem(std::span<const float> pose);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_CAMERA_CHECK_H_
