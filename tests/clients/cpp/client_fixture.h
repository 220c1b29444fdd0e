// A client at a server that answers as it is told.
#ifndef GWM_TESTS_CLIENTS_CPP_CLIENT_FIXTURE_H_
#define GWM_TESTS_CLIENTS_CPP_CLIENT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gwm/client.h"
#include "tests/clients/cpp/scripted_server.h"

namespace gwm::client {
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The Error that `call` throws; a failure when it throws none.
template <typename Call>
std::optional<Error> ErrorOf(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the call did not throw";
  return std::nullopt;
}

inline Tensor Zeros(std::vector<int64_t> shape) {
  Tensor tensor{DType::kF32, std::move(shape), {}};
  tensor.data.assign(static_cast<size_t>(tensor.elements()) * sizeof(float), '\0');
  return tensor;
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest()
      : client_(server_.address(),
                {.timeout = milliseconds(20'000),
                 .retry = {.sleep = [this](milliseconds wait) { waits_.push_back(wait); }}}) {
    server_.session.set_session_id("abc");
    server_.session.set_num_envs(2);
    server_.session.set_seed(7);
    server_.session.mutable_idle_ttl()->set_seconds(300);
    server_.renewal.mutable_expires_in()->set_seconds(300);
  }
  ScriptedServer server_;
  std::vector<milliseconds> waits_;
  Client client_;
};

}  // namespace gwm::client

#endif  // GWM_TESTS_CLIENTS_CPP_CLIENT_FIXTURE_H_
