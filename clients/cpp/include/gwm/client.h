// A client of a gwm server: learned worlds and real environments alike.
//
//   gwm::client::Client client("localhost:50051");
//   auto session = client.CreateSession({.num_envs = 4, .seed = 7, .observations = {"rgb"}});
//   session.Reset();
//   auto step = session.Step(gwm::client::Tensor::From<float>({4, 4}, actions));
//
// CMake: find_package(gwm_client REQUIRED), link gwm::client.
#ifndef GWM_CLIENT_H_
#define GWM_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gwm/export.h"
#include "gwm/perception_types.h"
#include "gwm/session.h"
#include "gwm/types.h"

namespace gwm::client {

// How often, and after which waits, a call is sent again that the server refused before it began,
// or that got lost and can be repeated without harm (CreateSession, Step, Reset and Fork can: the
// server knows a repetition by its name, see Session). The waits
// grow by a factor of two, are shortened at random, are as long as the server asks for at least,
// and never go beyond the timeout of the call.
struct RetryPolicy {
  int attempts = 4;  // 1: never again
  std::chrono::milliseconds first_wait{50};
  std::chrono::milliseconds max_wait{2'000};
  // Empty: std::this_thread::sleep_for. May be called from several threads.
  std::function<void(std::chrono::milliseconds)> sleep;
};

// Of the calls that use the server's device.
enum class Priority {
  kLow = 1,  // one class later: a step waits like an imagined one
  kNormal = 2,
  kHigh = 3,  // one class earlier where Limits.allow_high_priority is set, else as kNormal
};

struct ClientOptions {
  // Of every call that sets none of its own.
  std::chrono::milliseconds timeout{60'000};
  // Largest reply that is accepted.
  uint64_t max_message_bytes = uint64_t{256} << 20;
  // Whose the sessions are: the same text in another run of the program finds them again
  // (ListSessions). Empty: a random one.
  std::string client_id;
  RetryPolicy retry;
  Priority priority = Priority::kNormal;
};

// Thread-safe. Every call throws Error.
class GWM_CLIENT_EXPORT Client {
 public:
  // address: "HOST:PORT" or "unix:PATH". Does not connect yet.
  explicit Client(const std::string& address, const ClientOptions& options = {});
  ~Client();

  // Waits until the server answers; Error(kUnavailable) when `timeout` passes first.
  void WaitUntilConnected(std::chrono::milliseconds timeout);
  // Asks grpc.health.v1: true when `service` ("" = the whole server) is serving.
  bool IsServing(const std::string& service = "");

  Spec GetSpec(const ModelRef& model = {});
  ServerInfo GetServerInfo();
  Limits GetLimits();

  // What is served, being loaded, on its way out, or failed to load.
  std::vector<Model> ListModels();
  Model GetModel(const ModelRef& model = {});
  // Opens a folder below the server's root of checkpoints beside what is served; returns when it
  // can be used. A version that is there already is returned as it is.
  Model LoadModel(const std::string& checkpoint, const LoadModelOptions& options = {});
  // Lets a version go: kUnloaded, or kDraining while sessions are on it.
  Model UnloadModel(const std::string& checkpoint_digest, const UnloadModelOptions& options = {});
  // The version for sessions that name none, from now on.
  Model SetDefaultModel(const ModelRef& model);
  // A real reset, step and render of `rows` environments; 0: 1.
  WarmUpTimes WarmUp(const ModelRef& model = {}, uint32_t rows = 0);

  Session CreateSession(const SessionOptions& options = {});
  // A session that this client, or an earlier run under the same client_id, made; it is closed with
  // the returned object.
  Session AttachSession(const std::string& id);
  // The open sessions of this client_id.
  std::vector<SessionSummary> ListSessions();

  // Images to latent tokens, and Gaussians if asked for, of the newest frame.
  LatentTokens Encode(const Frames& frames, const EncodeOptions& options = {});
  // Latent tokens f32 [n, M, L] to images; `anchors` are the frames that the latents were encoded
  // from.
  Images Decode(const Tensor& latents, const Frames& anchors, const RenderOptions& options = {},
                const ModelRef& model = {});
  // Hidden features of the dynamics model, for policies.
  FeatureTokens Features(const Frames& frames, const FeatureOptions& options = {});

 private:
  std::shared_ptr<internal::Wire> wire_;
};

}  // namespace gwm::client

#endif  // GWM_CLIENT_H_
