#include "server/bin/flags.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "server/bin/load_config.h"
#include "server/bin/stop_signal.h"

namespace gwm::server {
namespace {

TEST(FlagsTest, TakesValuesWithAndWithoutEquals) {
  const auto flags = ParseFlags({"--listen=a:1,b:2", "--checkpoint", "dir", "--listen=unix:/x",
                                 "--metrics-listen=:9", "--port-file=f"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->overrides.listen_size(), 3);
  EXPECT_EQ(flags->overrides.listen(2), "unix:/x");
  EXPECT_EQ(flags->overrides.checkpoint(), "dir");
  EXPECT_EQ(flags->port_file, "f");
  EXPECT_EQ(flags->mode, Flags::Mode::kServe);
}

TEST(FlagsTest, KnowsItsModes) {
  EXPECT_EQ(ParseFlags({"--help"})->mode, Flags::Mode::kHelp);
  EXPECT_EQ(ParseFlags({"-h"})->mode, Flags::Mode::kHelp);
  EXPECT_EQ(ParseFlags({"--check"})->mode, Flags::Mode::kCheck);
  EXPECT_EQ(ParseFlags({"--print-config"})->mode, Flags::Mode::kPrintConfig);
  const auto health = ParseFlags({"--health", "host:1"});
  EXPECT_EQ(health->mode, Flags::Mode::kHealth);
  EXPECT_EQ(health->health_address, "host:1");
}

TEST(FlagsTest, NamesWhatItDoesNotKnow) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--lissten=x"}, {"listen"}, {"--listen"}, {"--check=yes"}}) {
    const auto flags = ParseFlags(arguments);
    EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument) << arguments[0];
  }
}

TEST(LoadConfigTest, FlagsWinOverTheFile) {
  const std::string path = ::testing::TempDir() + "gwm_config_" + std::to_string(getpid());
  std::ofstream(path) << "listen: \"file:1\" checkpoint: \"file\" limits { max_sessions: 3 }";
  const auto flags = ParseFlags({"--config=" + path, "--listen=flag:2"});
  const auto options = LoadOptions(*flags);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->listen, std::vector<std::string>{"flag:2"});
  EXPECT_EQ(options->checkpoint, "file");
  EXPECT_EQ(options->limits.max_sessions, 3u);
  unlink(path.c_str());
  EXPECT_EQ(LoadOptions(*flags).status().code(), absl::StatusCode::kNotFound);
}

TEST(StopSignalTest, ReportsASignalInsteadOfDying) {
  const StopSignal stop;
  EXPECT_FALSE(stop.Wait(absl::ZeroDuration()).has_value());
  raise(SIGTERM);
  EXPECT_EQ(stop.Wait(absl::Seconds(10)), StopSignal::Event::kTerminate);
  raise(SIGINT);
  EXPECT_EQ(stop.Wait(absl::Seconds(10)), StopSignal::Event::kInterrupt);
}

TEST(StopSignalTest, CanBeWoken) {
  const StopSignal stop;
  stop.Wake();
  EXPECT_EQ(stop.Wait(absl::Seconds(10)), StopSignal::Event::kWake);
}

}  // namespace
}  // namespace gwm::server
