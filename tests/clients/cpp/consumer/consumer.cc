// Uses the installed client package: a server that is not there must come back as a clean Error.
#include <gwm/client.h>

#include <chrono>
#include <cstdio>

int main() {
  gwm::client::Client client("127.0.0.1:1");
  try {
    client.WaitUntilConnected(std::chrono::milliseconds(100));
  } catch (const gwm::client::Error& error) {
    std::printf("%s\n", error.what());
    return error.code() == gwm::client::Code::kUnavailable ? 0 : 1;
  }
  return 1;
}
