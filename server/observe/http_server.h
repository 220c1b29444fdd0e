// /metrics for Prometheus and /healthz for simple probes, over plain HTTP.
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
  std::function<bool()> healthy;         // 200 "ok" or 503 "not serving"
};

// Thread-safe; the pages are made on one thread of its own, one request after the other. (Its own
// sockets, because embedded HTTP libraries ask for thread stacks of 100 KiB, less than the
// thread-local storage of LibTorch with CUDA: their threads do not start in this process.)
class HttpServer {
 public:
  // `address`: "HOST:PORT" or "PORT"; port 0 takes a free one. Unavailable when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpPages pages);
  ~HttpServer();

  int port() const;

 private:
  HttpServer(int listener, int stop_reader, int stop_writer, HttpPages pages);
  void Run() const;
  void Answer(int connection) const;

  const int listener_;
  const int stop_reader_;  // readable once the thread shall end
  const int stop_writer_;
  const HttpPages pages_;
  std::thread thread_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_HTTP_SERVER_H_
