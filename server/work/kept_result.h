// Results that a session keeps for a repetition of their call.
#ifndef GWM_SERVER_WORK_KEPT_RESULT_H_
#define GWM_SERVER_WORK_KEPT_RESULT_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "server/base/status.h"
#include "server/session/session.h"
#include "server/work/observe.h"

namespace gwm::server {

// Result: has `observations`, which make up nearly all of its size, and a flag `replayed`.
template <typename Result>
class KeptResult final : public StoredReply {
 public:
  explicit KeptResult(absl::StatusOr<Result> result) : result_(std::move(result)) {
    if (!result_.ok()) return;
    result_->replayed = true;
    for (const auto& [name, tensor] : result_->observations) bytes_ += tensor.data.size();
    if constexpr (requires { result_->final_observations; }) {
      for (const auto& [name, tensor] : result_->final_observations) bytes_ += tensor.data.size();
    }
  }
  size_t bytes() const override { return bytes_; }
  const absl::StatusOr<Result>& result() const { return result_; }

 private:
  absl::StatusOr<Result> result_;
  size_t bytes_ = 1024;  // what is beside the observations, roughly
};

// What the session keeps when it commits; nothing for a call without a name.
template <typename Result>
std::optional<Answered> ForReplay(const std::optional<ReplayKey>& key,
                                  const absl::StatusOr<Result>& result) {
  if (!key.has_value()) return std::nullopt;
  return Answered{*key, std::make_shared<KeptResult<Result>>(result)};
}

// The result of the same call when the session carried it out before; absent: it has to be carried
// out. Errors as ReplayLog::Find.
template <typename Result>
absl::StatusOr<std::optional<absl::StatusOr<Result>>> FindKept(
    const Session& session, const std::optional<ReplayKey>& key) {
  std::optional<absl::StatusOr<Result>> found;
  if (!key.has_value()) return found;
  ASSIGN_OR_RETURN(const StoredReplyPtr reply, session.FindReply(*key));
  if (reply == nullptr) return found;
  const auto* kept = dynamic_cast<const KeptResult<Result>*>(reply.get());
  if (kept == nullptr) return NameTaken(key->request_id);
  found = kept->result();
  return found;
}

}  // namespace gwm::server

#endif  // GWM_SERVER_WORK_KEPT_RESULT_H_
