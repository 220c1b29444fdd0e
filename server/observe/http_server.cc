#include "server/observe/http_server.h"

#include <CivetServer.h>

#include <exception>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gwm::server {

class HttpServer::Page : public CivetHandler {
 public:
  struct Answer {
    int code = 200;
    std::string type;
    std::string body;
  };
  explicit Page(std::function<Answer()> make) : make_(std::move(make)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    const Answer answer = make_();
    mg_printf(
        connection,
        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        answer.code, answer.code == 200 ? "OK" : "Service Unavailable", answer.type.c_str(),
        answer.body.size());
    mg_write(connection, answer.body.data(), answer.body.size());
    return true;
  }

 private:
  std::function<Answer()> make_;
};

HttpServer::HttpServer() = default;
HttpServer::~HttpServer() { server_.reset(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpPages pages) {
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->metrics_ = std::make_unique<Page>([make = std::move(pages.metrics)] {
    return Page::Answer{200, "text/plain; version=0.0.4; charset=utf-8", make()};
  });
  server->health_ = std::make_unique<Page>([healthy = std::move(pages.healthy)] {
    return healthy() ? Page::Answer{200, "text/plain", "ok\n"}
                     : Page::Answer{503, "text/plain", "not serving\n"};
  });
  // The library wants numbers: it resolves no names.
  const std::string numeric = absl::StartsWith(address, "localhost:")
                                  ? absl::StrCat("127.0.0.1:", address.substr(10))
                                  : address;
  try {
    server->server_ = std::make_unique<CivetServer>(std::vector<std::string>{
        "listening_ports", numeric, "num_threads", "2", "request_timeout_ms", "5000"});
    server->server_->addHandler("/metrics", server->metrics_.get());
    server->server_->addHandler("/healthz", server->health_.get());
  } catch (const std::exception&) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics"));
  }
  return server;
}

int HttpServer::port() const { return server_->getListeningPorts().front(); }

}  // namespace gwm::server
