#include "server/session/replay_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace gwm::server {
namespace {

constexpr char kField[] = "context.request_id";
constexpr size_t kSpentNames = 256;

}  // namespace

absl::Status NameTaken(std::string_view request_id) {
  return StepConflict(
      kField, absl::StrCat(Quoted(request_id), " was the name of a call with other contents"));
}

absl::StatusOr<StoredReplyPtr> ReplayLog::Find(const ReplayKey& key) const {
  if (const auto found = by_id_.find(key.request_id); found != by_id_.end()) {
    const Entry& entry = *found->second;
    if (entry.key.fingerprint == key.fingerprint) return entry.reply;
    return NameTaken(key.request_id);
  }
  if (std::find(spent_.begin(), spent_.end(), key.request_id) != spent_.end()) {
    return StepConflict(kField,
                        absl::StrCat("the call ", Quoted(key.request_id),
                                     " took effect before; its reply is not kept any more "
                                     "(it was not the last one, or above max_replay_bytes = ",
                                     max_bytes_, ")"));
  }
  return StoredReplyPtr();
}

void ReplayLog::Forget(std::span<const uint32_t> env_ids) {
  for (uint32_t id : env_ids) {
    if (const auto found = by_env_.find(id); found != by_env_.end()) Drop(found->second);
  }
}

void ReplayLog::Keep(std::span<const uint32_t> env_ids, Answered answered) {
  Forget(env_ids);
  bytes_ += answered.reply->bytes();
  entries_.push_back(
      {std::move(answered.key), std::move(answered.reply), {env_ids.begin(), env_ids.end()}});
  const auto entry = std::prev(entries_.end());
  by_id_[entry->key.request_id] = entry;
  for (uint32_t id : env_ids) by_env_[id] = entry;
  while (bytes_ > max_bytes_) Drop(entries_.begin());
}

void ReplayLog::Drop(Entries::iterator entry) {
  for (uint32_t id : entry->env_ids) by_env_.erase(id);
  by_id_.erase(entry->key.request_id);
  bytes_ -= entry->reply->bytes();
  spent_.push_back(std::move(entry->key.request_id));
  if (spent_.size() > kSpentNames) spent_.pop_front();
  entries_.erase(entry);
}

}  // namespace gwm::server
