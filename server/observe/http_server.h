// /metrics for Prometheus and /healthz for simple probes, over plain HTTP.
#ifndef GWM_SERVER_OBSERVE_HTTP_SERVER_H_
#define GWM_SERVER_OBSERVE_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

class CivetServer;

namespace gwm::server {

struct HttpPages {
  std::function<std::string()> metrics;  // text exposition format
  std::function<bool()> healthy;         // 200 "ok" or 503 "not serving"
};

// Thread-safe; the pages are made on threads of its own.
class HttpServer {
 public:
  // `address`: "HOST:PORT" or "PORT"; port 0 takes a free one. Unavailable when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           HttpPages pages);
  ~HttpServer();

  int port() const;

 private:
  class Page;
  HttpServer();
  std::unique_ptr<Page> metrics_;
  std::unique_ptr<Page> health_;
  std::unique_ptr<CivetServer> server_;
};

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_HTTP_SERVER_H_
