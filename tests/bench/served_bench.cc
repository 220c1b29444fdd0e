// The shipped world stepped in this process, and the same through a server on loopback:
// BM_Steps/inProcess/N beside BM_Steps/served/N, N environments per call. What serving costs is the
// difference of the two; run them with --benchmark_enable_random_interleaving on a busy machine.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/api/world.h"
#include "gwm/v1/simulator.grpc.pb.h"
#include "server/base/random_source.h"
#include "server/rpc/server.h"

namespace gwm {
namespace {

constexpr int kEpisodeSteps = 50;

WorldOptions Checkpoint() {
  const char* folder = std::getenv("GWM_CHECKPOINT");
  return {.checkpoint_dir = folder != nullptr ? folder : "checkpoints/gwm-small"};
}

void InProcess(benchmark::State& state) {
  static const auto world = OpenWorld(Checkpoint());
  if (!world.ok()) return state.SkipWithError(std::string(world.status().message()).c_str());
  const auto envs = static_cast<size_t>(state.range(0));
  const std::vector<float> action(static_cast<size_t>((*world)->spec().action_dim), 0.0f);
  const std::vector<ResetRequest> resets(envs, ResetRequest{.pool_index = 0});
  std::vector<StatePtr> states = *(*world)->Reset(resets);
  uint32_t step = 0;
  for (auto _ : state) {
    std::vector<StepRequest> rows;
    for (uint32_t env = 0; env < envs; ++env) {
      rows.push_back({.state = states[env],
                      .action = action,
                      .noise = {.seed = 1, .env = env, .step = step % kEpisodeSteps}});
    }
    auto results = (*world)->Step(rows, {});
    if (!results.ok()) return state.SkipWithError("the step failed");
    for (size_t env = 0; env < envs; ++env) states[env] = (*results)[env].next;
    if (++step % kEpisodeSteps == 0) states = *(*world)->Reset(resets);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// A server in this process, dialled over loopback TCP as any other.
struct Served {
  Served() {
    server::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    auto started = server::Server::Start({.options = options,
                                          .world = [] { return OpenWorld(Checkpoint()); },
                                          .clock = &clock,
                                          .log = &log,
                                          .random = server::SystemRandom(),
                                          .version = "bench"});
    if (!started.ok()) return;
    server = *std::move(started);
    stub = v1::Simulator::NewStub(
        grpc::CreateChannel(server->addresses().front(), grpc::InsecureChannelCredentials()));
  }

  template <typename Request, typename Reply>
  bool Call(grpc::Status (v1::Simulator::Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Reply*),
            const Request& request, Reply* reply) {
    grpc::ClientContext context;
    return ((*stub).*method)(&context, request, reply).ok();
  }

  const server::SystemClock clock;
  const server::Log log{"error"};
  std::unique_ptr<server::Server> server;
  std::unique_ptr<v1::Simulator::Stub> stub;
};

void OverLoopback(benchmark::State& state) {
  static Served served;
  if (served.server == nullptr) return state.SkipWithError("the server did not start");
  const auto envs = static_cast<uint32_t>(state.range(0));
  const int64_t action_dim = served.server->spec().action_dim;
  v1::CreateSessionRequest create;
  create.set_num_envs(envs);
  create.set_seed(1);
  v1::Session session;
  bool ok = served.Call(&v1::Simulator::Stub::CreateSession, create, &session);
  v1::ResetRequest reset;
  reset.set_session_id(session.session_id());
  for (uint32_t env = 0; env < envs; ++env) reset.add_pool_indices(0);
  v1::ResetReply begun;
  ok = ok && served.Call(&v1::Simulator::Stub::Reset, reset, &begun);
  v1::StepRequest request;
  request.set_session_id(session.session_id());
  request.mutable_actions()->set_dtype(v1::DTYPE_F32);
  request.mutable_actions()->add_shape(envs);
  request.mutable_actions()->add_shape(action_dim);
  request.mutable_actions()->set_data(
      std::string(envs * static_cast<size_t>(action_dim) * sizeof(float), '\0'));
  uint32_t step = 0;
  v1::StepReply reply;
  for (auto _ : state) {
    ok = ok && served.Call(&v1::Simulator::Stub::Step, request, &reply);
    if (++step % kEpisodeSteps == 0) {
      ok = ok && served.Call(&v1::Simulator::Stub::Reset, reset, &begun);
    }
    if (!ok) return state.SkipWithError("a call failed");
  }
  state.SetItemsProcessed(state.iterations() * envs);
  v1::CloseSessionRequest close;
  close.set_session_id(session.session_id());
  v1::CloseSessionReply closed;
  served.Call(&v1::Simulator::Stub::CloseSession, close, &closed);
}

BENCHMARK(InProcess)
    ->Name("BM_Steps/inProcess")
    ->Arg(1)
    ->Arg(16)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(OverLoopback)
    ->Name("BM_Steps/served")
    ->Arg(1)
    ->Arg(16)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gwm

BENCHMARK_MAIN();
