#include "server/session/hmac.h"

#include "absl/strings/escaping.h"
#include "engine/io/sha256.h"

namespace gwm::server {
namespace {

constexpr size_t kBlockBytes = 64;

std::string Sha256(std::string_view first, std::string_view second) {
  io::Sha256 digest;
  digest.Update(first);
  digest.Update(second);
  return absl::HexStringToBytes(digest.FinishHex());
}

std::string Masked(std::string block, char mask) {
  for (char& c : block) c = static_cast<char>(c ^ mask);
  return block;
}

}  // namespace

std::string HmacSha256(std::string_view key, std::string_view message) {
  std::string block(key.size() > kBlockBytes ? Sha256(key, "") : std::string(key));
  block.resize(kBlockBytes, '\0');
  return Sha256(Masked(block, 0x5c), Sha256(Masked(block, 0x36), message));
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace gwm::server
