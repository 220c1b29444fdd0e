#include "engine/train/online_replay.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gwm {
namespace {

int64_t BytesOf(std::initializer_list<const torch::Tensor*> tensors) {
  int64_t bytes = 0;
  for (const torch::Tensor* tensor : tensors) {
    if (tensor->defined()) bytes += static_cast<int64_t>(tensor->nbytes());
  }
  return bytes;
}

int64_t BytesOf(const LatentSequence& s) {
  return BytesOf({&s.latents, &s.centres, &s.action, &s.reward, &s.terminated, &s.success});
}

}  // namespace

void OnlineReplay::Add(EpisodeTensors episode) {
  data_.episodes.push_back(std::move(episode));
  made_.emplace_back();
}

void OnlineReplay::DropOldest(int64_t frames) {
  int64_t left = data_.frames();
  size_t dropped = 0;
  while (dropped + 1 < data_.episodes.size() && left > frames) {
    left -= data_.episodes[dropped].frames();
    ++dropped;
  }
  const auto count = static_cast<std::ptrdiff_t>(dropped);
  data_.episodes.erase(data_.episodes.begin(), data_.episodes.begin() + count);
  made_.erase(made_.begin(), made_.begin() + count);
  Collect();
}

ReplaySize OnlineReplay::size() const {
  ReplaySize size{.episodes = static_cast<int64_t>(data_.episodes.size()),
                  .frames = data_.frames()};
  for (const EpisodeTensors& e : data_.episodes) {
    size.bytes += BytesOf({&e.rgb, &e.depth_mm, &e.intrinsics, &e.world_from_cam, &e.action,
                           &e.reward, &e.terminated, &e.success});
  }
  for (const Made& made : made_) {
    for (const LatentSequence& s : made.sequences) size.bytes += BytesOf(s);
    for (const ImaginedSequence& s : made.imagined) {
      size.bytes += BytesOf(s.imagined) + BytesOf({&s.real});
    }
  }
  return size;
}

bool OnlineReplay::EncodeNext(const WorldModel& model, int64_t tokenizer_updates) {
  const auto stale = std::find_if(made_.begin(), made_.end(), [&](const Made& made) {
    return made.encoded_after != tokenizer_updates;
  });
  if (stale == made_.end()) return false;
  const auto episode = static_cast<size_t>(std::distance(made_.begin(), stale));
  stale->sequences = EncodeEpisode(model, data_, episode);
  stale->encoded_after = tokenizer_updates;
  // Rollouts of other latents would be compared with these.
  stale->imagined.clear();
  stale->imagined_at = -1;
  Collect();
  return true;
}

void OnlineReplay::ImagineNext(const WorldModel& model, int64_t steps, uint64_t seed) {
  Made* oldest = nullptr;
  for (Made& made : made_) {
    if (made.sequences.empty()) continue;
    if (oldest == nullptr || made.imagined_at < oldest->imagined_at) oldest = &made;
  }
  TORCH_CHECK(oldest != nullptr, "nothing is prepared");
  const uint64_t own_seed = seed + static_cast<uint64_t>(imaginations_);
  oldest->imagined = ImagineSequences(model, oldest->sequences, steps, own_seed, /*quiet=*/true);
  oldest->imagined_at = imaginations_++;
  Collect();
}

void OnlineReplay::Collect() {
  sequences_.clear();
  imagined_.clear();
  for (const Made& made : made_) {
    sequences_.insert(sequences_.end(), made.sequences.begin(), made.sequences.end());
    imagined_.insert(imagined_.end(), made.imagined.begin(), made.imagined.end());
  }
}

}  // namespace gwm
