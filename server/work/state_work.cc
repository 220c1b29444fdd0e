#include "server/work/state_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status.h"
#include "server/work/spill.h"

namespace gwm::server {
namespace {

// The session keeps the state from now on, against its share of the memory.
absl::StatusOr<ExportResult> KeepOnServer(World& world, SessionTable& table, Session& session,
                                          Env env) {
  ExportResult result;
  result.content.env = env;
  result.content.env.state = nullptr;
  RETURN_IF_ERROR(ReserveSpilling(world, table, session, {.kept = 1}));
  auto id = session.KeepState(std::move(env));
  if (!id.ok()) {
    table.Unreserve(session, {.kept = 1});
    return id.status();
  }
  result.state_id = *std::move(id);
  return result;
}

}  // namespace

ExportWork::ExportWork(SessionCall call, ExportTo target, SessionTable* table,
                       Answer<ExportResult> answer)
    : SoloWork(call.call, &*call.session, call.session->world(), {.stage = Stage::kState}),
      call_(std::move(call)),
      target_(target),
      table_(table),
      answer_(std::move(answer)) {}

void ExportWork::Run(World& world, const RunTiming&) { Reply(Export(world)); }

void ExportWork::Reply(absl::StatusOr<ExportResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

absl::StatusOr<ExportResult> ExportWork::Export(World& world) {
  RETURN_IF_ERROR(BringBack(world, call_));
  ASSIGN_OR_RETURN(std::vector<Env> envs, ReadStates(*call_.session, call_.env_ids));
  if (target_ == ExportTo::kServer) {
    return KeepOnServer(world, *table_, *call_.session, std::move(envs.front()));
  }
  ExportResult result;
  ASSIGN_OR_RETURN(result.content,
                   ContentOf(world, envs.front(), call_.session->config().max_episode_steps));
  return result;
}

ImportWork::ImportWork(SessionCall call, StateContent content, SessionTable* table,
                       Answer<ExportResult> answer)
    : SoloWork(call.call, &*call.session, call.session->world(), {.stage = Stage::kState}),
      call_(std::move(call)),
      start_(std::move(content)),
      table_(table),
      answer_(std::move(answer)) {}

void ImportWork::Run(World& world, const RunTiming&) { Reply(Import(world)); }

void ImportWork::Reply(absl::StatusOr<ExportResult> result) {
  call_.session.Release();
  answer_(std::move(result));
}

absl::StatusOr<ExportResult> ImportWork::Import(World& world) {
  RETURN_IF_ERROR(BringBack(world, call_));
  ASSIGN_OR_RETURN(Env env, Materialise(world, start_));
  return KeepOnServer(world, *table_, *call_.session, std::move(env));
}

}  // namespace gwm::server
