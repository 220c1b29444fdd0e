// /metrics for Prometheus, /healthz and /livez for simple probes, over plain HTTP/1.
#ifndef GWM_SERVER_OBSERVE_HTTP_SERVER_H_
#define GWM_SERVER_OBSERVE_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace gwm::server {

struct HttpPages {
  std::function<std::string()> metrics;  // text exposition format
  // /healthz and /livez: 200 "ok" or 503 "not serving".
  std::function<bool()> ready;
  std::function<bool()> live;
};

// Answers GET of these pages, one connection at a time, each within a second or not at all;
// anything else gets 404. Own code because civetweb starts its threads with stacks that are too
// small beside LibTorch's thread-local storage.
class HttpServer {
 public:
  // `address`: "HOST:PORT" with a numeric IPv4 host or localhost; port 0 takes a free one.
  // InvalidArgument for another form, Unavailable when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpPages pages);
  ~HttpServer();

  int port() const { return port_; }

 private:
  HttpServer(HttpPages pages, int listener, int wake, int port);
  void Loop() const;
  void Answer(int connection) const;
  std::string PageFor(const std::string& request) const;

  const HttpPages pages_;
  const int listener_;  // sockets
  const int wake_;      // readable when it is time to stop
  const int port_;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_HTTP_SERVER_H_
