#include "server/observe/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gwm::server {
namespace {

constexpr size_t kMaxRequestBytes = 8192;
constexpr int kBacklog = 16;

std::optional<sockaddr_in> ParseAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = address.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  int port = 0;
  sockaddr_in out{};
  out.sin_family = AF_INET;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535 ||
      inet_pton(AF_INET, host.c_str(), &out.sin_addr) != 1) {
    return std::nullopt;
  }
  out.sin_port = htons(static_cast<uint16_t>(port));
  return out;
}

std::string Response(const char* status, const char* type, const std::string& body) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type,
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n", body);
}

void SendAll(int connection, const std::string& data) {
  for (size_t sent = 0; sent < data.size();) {
    const ssize_t n = send(connection, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpPages pages) {
  auto where = ParseAddress(address);
  if (!where.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("metrics_listen: '", address, "'; a numeric HOST:PORT is allowed"));
  }
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int wake = eventfd(0, EFD_CLOEXEC);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  socklen_t size = sizeof(*where);
  auto* raw = reinterpret_cast<sockaddr*>(&*where);
  if (listener < 0 || wake < 0 || bind(listener, raw, size) != 0 ||
      listen(listener, kBacklog) != 0 || getsockname(listener, raw, &size) != 0) {
    if (listener >= 0) close(listener);
    if (wake >= 0) close(wake);
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for metrics"));
  }
  return std::unique_ptr<HttpServer>(
      new HttpServer(std::move(pages), listener, wake, ntohs(where->sin_port)));
}

HttpServer::HttpServer(HttpPages pages, int listener, int wake, int port)
    : pages_(std::move(pages)), listener_(listener), wake_(wake), port_(port), thread_([this] {
        Loop();
      }) {}

HttpServer::~HttpServer() {
  eventfd_write(wake_, 1);
  thread_.join();
  close(listener_);
  close(wake_);
}

void HttpServer::Loop() const {
  while (true) {
    pollfd waiting[2] = {{.fd = wake_, .events = POLLIN}, {.fd = listener_, .events = POLLIN}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    Answer(connection);
    close(connection);
  }
}

void HttpServer::Answer(int connection) const {
  // A client that dawdles must not keep the others out.
  const timeval limit{.tv_sec = 1};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  std::string request;
  char buffer[1024];
  while (request.size() < kMaxRequestBytes && !absl::StrContains(request, "\r\n\r\n")) {
    const ssize_t n = recv(connection, buffer, sizeof(buffer), 0);
    if (n <= 0) return;
    request.append(buffer, static_cast<size_t>(n));
  }
  SendAll(connection, PageFor(request));
}

std::string HttpServer::PageFor(const std::string& request) const {
  if (absl::StartsWith(request, "GET /metrics ")) {
    return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", pages_.metrics());
  }
  const auto probe = [](bool ok) {
    return ok ? Response("200 OK", "text/plain", "ok\n")
              : Response("503 Service Unavailable", "text/plain", "not serving\n");
  };
  if (absl::StartsWith(request, "GET /healthz ")) return probe(pages_.ready());
  if (absl::StartsWith(request, "GET /livez ")) return probe(pages_.live());
  return Response("404 Not Found", "text/plain", "try /metrics, /healthz or /livez\n");
}

}  // namespace gwm::server
