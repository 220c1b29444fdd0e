// HMAC-SHA256 (RFC 2104): the seal of state blobs.
#ifndef GWM_SERVER_SESSION_HMAC_H_
#define GWM_SERVER_SESSION_HMAC_H_

#include <string>
#include <string_view>

namespace gwm::server {

inline constexpr size_t kHmacBytes = 32;

// kHmacBytes bytes.
std::string HmacSha256(std::string_view key, std::string_view message);

// Takes the same time wherever the first difference lies.
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace gwm::server

#endif  // GWM_SERVER_SESSION_HMAC_H_
