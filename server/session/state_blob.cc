#include "server/session/state_blob.h"

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/io/crc32c.h"
#include "engine/io/safetensors.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/session/hmac.h"

namespace gwm::server {
namespace {

constexpr std::string_view kMagic = "GWMSTATE";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kSealed = 1;
constexpr char kNoise[] = "philox4x32(seed, env, episode, step)";
constexpr size_t kHeaderBytes = 24;
constexpr size_t kCrcBytes = 4;

constexpr std::array kPhaseNames = {
    std::pair{EnvPhase::kNeedsReset, "needs_reset"}, std::pair{EnvPhase::kRunning, "running"},
    std::pair{EnvPhase::kDone, "done"}, std::pair{EnvPhase::kFailed, "failed"}};

template <typename T>
void Append(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
template <typename T>
T Load(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

using Metadata = std::map<std::string, std::string>;

Metadata MetadataOf(const StateContent& content) {
  Metadata out = {{"model_id", content.model_id},
                  {"checkpoint_digest", content.checkpoint_digest},
                  {"noise", kNoise},
                  {"seed", absl::StrCat(content.env.seed)},
                  {"noise_env", absl::StrCat(content.env.noise_env)},
                  {"resets", absl::StrCat(content.env.resets)},
                  {"step", absl::StrCat(content.env.steps)},
                  {"real_step", absl::StrCat(content.env.real_step)},
                  {"max_episode_steps", absl::StrCat(content.max_episode_steps)}};
  for (const auto& [phase, name] : kPhaseNames) {
    if (phase == content.env.phase) out["phase"] = name;
  }
  return out;
}

// Where an error lies, for all of the functions below.
struct Reader {
  std::string_view field;

  absl::Status Corrupt(std::string_view what) const {
    return MakeError(absl::StatusCode::kDataLoss, absl::StrCat(Text(field), ": ", Text(what)),
                     {.reason = std::string(kStateCorrupt), .field = std::string(field)});
  }
  absl::Status Mismatch(std::string_view what) const {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(Text(field), ": ", Text(what)),
                     {.reason = std::string(kStateMismatch), .field = std::string(field)});
  }
  static absl::string_view Text(std::string_view text) { return {text.data(), text.size()}; }

  // The body, after the checks of everything around it.
  absl::StatusOr<std::string_view> Body(std::string_view blob, std::string_view key) const;
  template <typename T>
  absl::Status Number(const Metadata& metadata, const std::string& name, T& out) const;
  absl::StatusOr<StateContent> Content(const Metadata& metadata) const;
};

absl::StatusOr<std::string_view> Reader::Body(std::string_view blob, std::string_view key) const {
  if (blob.substr(0, kMagic.size()) != kMagic) return Corrupt("is no state of a world");
  if (blob.size() < kHeaderBytes + kCrcBytes) return Corrupt("is truncated");
  const auto version = Load<uint32_t>(blob, 8);
  if (version != kVersion) {
    return Mismatch(absl::StrCat("has schema version ", version, "; ", kVersion, " is known"));
  }
  const bool sealed = (Load<uint32_t>(blob, 12) & kSealed) != 0;
  const auto body_bytes = Load<uint64_t>(blob, 16);
  const size_t rest = kCrcBytes + (sealed ? kHmacBytes : 0);
  if (blob.size() < kHeaderBytes + rest || body_bytes != blob.size() - kHeaderBytes - rest) {
    return Corrupt(absl::StrCat("is truncated or has a tail: ", blob.size(),
                                " bytes with a body of ", body_bytes));
  }
  const std::string_view checked = blob.substr(0, kHeaderBytes + body_bytes);
  if (Load<uint32_t>(blob, checked.size()) != io::Crc32c(checked)) {
    return Corrupt("does not have the checksum that it states");
  }
  if (!key.empty()) {
    if (!sealed) return Corrupt("is not sealed; this server takes sealed states only");
    const std::string_view signed_part = blob.substr(0, checked.size() + kCrcBytes);
    if (!EqualInConstantTime(blob.substr(signed_part.size()), HmacSha256(key, signed_part))) {
      return Corrupt("has a seal of another key");
    }
  }
  return checked.substr(kHeaderBytes);
}

template <typename T>
absl::Status Reader::Number(const Metadata& metadata, const std::string& name, T& out) const {
  const auto found = metadata.find(name);
  if (found != metadata.end() && absl::SimpleAtoi(found->second, &out)) return absl::OkStatus();
  return Corrupt(absl::StrCat("has no number ", name));
}

absl::StatusOr<StateContent> Reader::Content(const Metadata& metadata) const {
  const auto text = [&](const char* name) {
    const auto found = metadata.find(name);
    return found == metadata.end() ? std::string() : found->second;
  };
  StateContent content{.model_id = text("model_id"),
                       .checkpoint_digest = text("checkpoint_digest")};
  RETURN_IF_ERROR(Number(metadata, "seed", content.env.seed));
  RETURN_IF_ERROR(Number(metadata, "noise_env", content.env.noise_env));
  RETURN_IF_ERROR(Number(metadata, "resets", content.env.resets));
  RETURN_IF_ERROR(Number(metadata, "step", content.env.steps));
  // States from before Observe have none.
  if (metadata.contains("real_step")) {
    RETURN_IF_ERROR(Number(metadata, "real_step", content.env.real_step));
  }
  if (content.env.real_step > content.env.steps) return Corrupt("has a real_step after its step");
  RETURN_IF_ERROR(Number(metadata, "max_episode_steps", content.max_episode_steps));
  if (text("noise") != kNoise) return Mismatch("was made with another generator of noise");
  for (const auto& [phase, name] : kPhaseNames) {
    if (text("phase") == name) content.env.phase = phase;
  }
  const bool has_state =
      content.env.phase == EnvPhase::kRunning || content.env.phase == EnvPhase::kDone;
  if (!has_state || content.env.resets == 0) return Corrupt("has no phase with a state");
  return content;
}

}  // namespace

std::string EncodeState(const StateContent& content, std::string_view key) {
  const std::string body =
      io::SerializeTensors({.tensors = content.tensors, .metadata = MetadataOf(content)});
  std::string out(kMagic);
  Append(kVersion, out);
  Append(key.empty() ? uint32_t{0} : kSealed, out);
  Append(uint64_t{body.size()}, out);
  out += body;
  Append(io::Crc32c(out), out);
  if (!key.empty()) out += HmacSha256(key, out);
  return out;
}

absl::StatusOr<StateContent> DecodeState(std::string_view blob, std::string_view key,
                                         std::string_view field) {
  const Reader reader{field};
  ASSIGN_OR_RETURN(const std::string_view body, reader.Body(blob, key));
  auto file = io::ParseTensors({reinterpret_cast<const uint8_t*>(body.data()), body.size()});
  if (!file.ok()) {
    const absl::string_view message = file.status().message();
    return reader.Corrupt({message.data(), message.size()});
  }
  ASSIGN_OR_RETURN(StateContent content, reader.Content(file->metadata));
  content.tensors = std::move(file->tensors);
  return content;
}

}  // namespace gwm::server
