#include "server/observe/http_server.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gwm::server {
namespace {

constexpr int kBacklog = 32;
constexpr time_t kClientTimeoutS =
    2;  // a client that says nothing must not keep the others waiting
constexpr size_t kMaxRequestBytes = 8192;

// A listening socket, or -1 with errno set.
int Listen(const addrinfo& where) {
  const int listener = socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC, where.ai_protocol);
  if (listener < 0) return -1;
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, where.ai_addr, where.ai_addrlen) == 0 && listen(listener, kBacklog) == 0) {
    return listener;
  }
  const int error = errno;
  close(listener);
  errno = error;
  return -1;
}

absl::StatusOr<int> ListenOn(const std::string& address) {
  const auto colon = address.rfind(':');
  std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code =
          getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
      code != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, " for metrics: ", gai_strerror(code)));
  }
  const int listener = Listen(*found);
  freeaddrinfo(found);
  if (listener < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, " for metrics: ", std::strerror(errno)));
  }
  return listener;
}

// Up to the end of the head, or what came before the client fell silent.
std::string ReadHead(int connection) {
  std::string head;
  std::array<char, 1024> piece;
  while (head.size() < kMaxRequestBytes && !absl::StrContains(head, "\r\n\r\n")) {
    const ssize_t got = recv(connection, piece.data(), piece.size(), 0);
    if (got <= 0) break;
    head.append(piece.data(), static_cast<size_t>(got));
  }
  return head;
}

void SendAll(int connection, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t more = send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (more <= 0) return;
    sent += static_cast<size_t>(more);
  }
}

std::string Response(std::string_view status, std::string_view type, std::string_view body) {
  return absl::StrCat("HTTP/1.1 ", std::string(status), "\r\nContent-Type: ", std::string(type),
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n",
                      std::string(body));
}

}  // namespace

HttpServer::HttpServer(int listener, int stop_reader, int stop_writer, HttpPages pages)
    : listener_(listener),
      stop_reader_(stop_reader),
      stop_writer_(stop_writer),
      pages_(std::move(pages)),
      thread_([this] { Run(); }) {}

HttpServer::~HttpServer() {
  close(stop_writer_);
  thread_.join();
  close(stop_reader_);
  close(listener_);
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpPages pages) {
  const auto listener = ListenOn(address);
  if (!listener.ok()) return listener.status();
  std::array<int, 2> stop{};
  if (pipe(stop.data()) != 0) {
    close(*listener);
    return absl::UnavailableError(absl::StrCat("no pipe for metrics: ", std::strerror(errno)));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(*listener, stop[0], stop[1], std::move(pages)));
}

void HttpServer::Run() const {
  std::array<pollfd, 2> watched{pollfd{listener_, POLLIN, 0}, pollfd{stop_reader_, POLLIN, 0}};
  while (true) {
    if (poll(watched.data(), watched.size(), /*timeout=*/-1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    if ((watched[0].revents & POLLIN) == 0) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    const timeval patience{kClientTimeoutS, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    Answer(connection);
    close(connection);
  }
}

void HttpServer::Answer(int connection) const {
  const std::string head = ReadHead(connection);
  const auto asks = [&head](const char* path) {
    return absl::StartsWith(head, absl::StrCat("GET ", path, " ")) ||
           absl::StartsWith(head, absl::StrCat("GET ", path, "?"));
  };
  if (asks("/metrics")) {
    SendAll(connection,
            Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", pages_.metrics()));
  } else if (asks("/healthz")) {
    SendAll(connection, pages_.healthy()
                            ? Response("200 OK", "text/plain", "ok\n")
                            : Response("503 Service Unavailable", "text/plain", "not serving\n"));
  } else {
    SendAll(connection,
            Response("404 Not Found", "text/plain", "there are /metrics and /healthz\n"));
  }
}

int HttpServer::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXSERV> port{};
  if (getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port.data(), port.size(),
                  NI_NUMERICSERV) != 0) {
    return 0;
  }
  return std::stoi(port.data());
}

}  // namespace gwm::server
