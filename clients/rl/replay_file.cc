// Replay: saved to one file and restored from it.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/rl/checks.h"
#include "clients/rl/replay.h"
#include "clients/rl/replay_flags.h"

namespace gwm::rl {
namespace {

constexpr char kFormat[] = "gwm-replay-1";

absl::Status Damaged(const std::string& what) {
  return absl::InvalidArgumentError("the file of a replay is inconsistent: " + what);
}

// Empty when absent.
std::string Text(const clients::StateFile& state, const std::string& key) {
  const auto found = state.metadata.find(key);
  return found == state.metadata.end() ? std::string() : found->second;
}

}  // namespace

// What a file must share with the replay that reads it.
std::map<std::string, std::string> Replay::FileMetadata() const {
  return {{"frame_shape", ShapeText(options_.frame_shape)},
          {"frame_stack", absl::StrCat(options_.frame_stack)},
          {"places", absl::StrCat(places_)}};
}

// The first `count` places; they are all that was ever written.
std::map<std::string, torch::Tensor> Replay::FileTensors(int64_t count) const {
  return {{"frames", frames_.slice(0, 0, count)},   {"actions", actions_.slice(0, 0, count)},
          {"rewards", rewards_.slice(0, 0, count)}, {"previous", previous_.slice(0, 0, count)},
          {"next", next_.slice(0, 0, count)},       {"flags", flags_.slice(0, 0, count)}};
}

absl::Status Replay::Save(const std::string& path) const {
  clients::StateFile state;
  state.metadata = FileMetadata();
  state.metadata["written"] = absl::StrCat(written_);
  state.tensors = FileTensors(std::min(written_, places_));
  std::vector<int64_t> open;
  for (const auto& [stream, number] : open_) open.insert(open.end(), {stream, number});
  state.tensors["open"] = torch::tensor(open, torch::kInt64).view({-1, 2});
  return clients::WriteStateFile(path, kFormat, state);
}

// Links that lead outside the file or in circles would send sampling astray.
absl::Status Replay::CheckLinks(const clients::StateFile& state, int64_t written) const {
  const int64_t first = written - std::min(written, places_);
  const int64_t* previous = state.tensors.at("previous").data_ptr<int64_t>();
  const int64_t* next = state.tensors.at("next").data_ptr<int64_t>();
  const uint8_t* flags = state.tensors.at("flags").data_ptr<uint8_t>();
  for (int64_t number = first; number < written; ++number) {
    const int64_t place = PlaceOf(number);
    if (previous[place] < -1 || previous[place] >= number) return Damaged("a link backwards");
    if (next[place] != -1 && (next[place] <= number || next[place] >= written ||
                              previous[PlaceOf(next[place])] != number)) {
      return Damaged("a link forwards");
    }
    if (flags[place] > kAllFrameFlags) return Damaged("flags");
  }
  const torch::Tensor& open = state.tensors.at("open");
  for (int64_t i = 0; i < open.size(0); ++i) {
    const int64_t number = open[i][1].item<int64_t>();
    if (number < 0 || number >= written) return Damaged("an open episode");
    if (number >= first && next[PlaceOf(number)] != -1) return Damaged("an open end");
  }
  return absl::OkStatus();
}

// The number of frames written, once everything about the file is known to fit.
absl::StatusOr<int64_t> Replay::CheckFile(const clients::StateFile& state) const {
  for (const auto& [key, value] : FileMetadata()) {
    if (Text(state, key) == value) continue;
    return absl::InvalidArgumentError(absl::StrCat("the file has ", key, " '", Text(state, key),
                                                   "', this replay has '", value, "'"));
  }
  constexpr int64_t kMostFrames = int64_t{1} << 62;
  int64_t written = 0;
  if (!absl::SimpleAtoi(Text(state, "written"), &written) || written < 0 || written > kMostFrames) {
    return Damaged("written");
  }
  std::map<std::string, torch::Tensor> wanted = FileTensors(std::min(written, places_));
  wanted["open"] = torch::empty({0, 2}, torch::kInt64);
  for (const auto& [name, tensor] : wanted) {
    std::vector<int64_t> shape = tensor.sizes().vec();
    if (name == "open") shape[0] = -1;
    const auto found = state.tensors.find(name);
    const absl::Status status =
        CheckTensor(found == state.tensors.end() ? torch::Tensor() : found->second, shape,
                    tensor.scalar_type(), name);
    if (!status.ok()) return status;
  }
  const absl::Status status = CheckLinks(state, written);
  if (!status.ok()) return status;
  return written;
}

void Replay::CountTransitions() {
  transitions_ = 0;
  for (int64_t number = oldest(); number < written_; ++number) transitions_ += Startable(number);
}

absl::Status Replay::Restore(const std::string& path) {
  const absl::StatusOr<clients::StateFile> state = clients::ReadStateFile(path, kFormat);
  if (!state.ok()) return state.status();
  return WithoutThrowing("Replay::Restore", [&]() -> absl::Status {
    const absl::StatusOr<int64_t> written = CheckFile(*state);
    if (!written.ok()) return written.status();
    for (auto& [name, tensor] : FileTensors(std::min(*written, places_))) {
      tensor.copy_(state->tensors.at(name));
    }
    written_ = *written;
    open_.clear();
    const torch::Tensor& open = state->tensors.at("open");
    for (int64_t i = 0; i < open.size(0); ++i) {
      open_[open[i][0].item<int64_t>()] = open[i][1].item<int64_t>();
    }
    CountTransitions();
    return absl::OkStatus();
  });
}

}  // namespace gwm::rl
