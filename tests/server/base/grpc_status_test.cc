#include "server/base/grpc_status.h"

#include <gtest/gtest.h>

#include "tests/fakes/protos.h"

namespace gwm::server {
namespace {

TEST(GrpcStatusTest, CarriesReasonFieldPhaseAndRetry) {
  const grpc::Status wire = ToGrpcStatus(MakeError(absl::StatusCode::kOutOfRange, "too much",
                                                   {.reason = "LIMIT",
                                                    .field = "env_ids[3]",
                                                    .phase = "QUEUED",
                                                    .retry_after = absl::Milliseconds(1500)}));
  EXPECT_EQ(wire.error_code(), grpc::OUT_OF_RANGE);
  EXPECT_EQ(wire.error_message(), "too much");
  const fakes::Details details = fakes::DetailsOf(wire);
  EXPECT_EQ(details.reason, "LIMIT");
  EXPECT_EQ(details.field, "env_ids[3]");
  EXPECT_EQ(details.phase, "QUEUED");
  EXPECT_TRUE(details.retry);
}

TEST(GrpcStatusTest, EveryErrorHasAReason) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status wire = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "x"));
    EXPECT_FALSE(wire.ok());
    EXPECT_NE(wire.error_code(), grpc::UNKNOWN);
    EXPECT_FALSE(fakes::DetailsOf(wire).reason.empty()) << code;
  }
}

TEST(GrpcStatusTest, HidesTheTextOfInternalErrors) {
  const grpc::Status wire = ToGrpcStatus(absl::InternalError("/secret/path"));
  EXPECT_EQ(wire.error_message().find("secret"), std::string::npos);
  EXPECT_EQ(wire.error_details().find("secret"), std::string::npos);
}

TEST(ErrorTest, CutsLongMessagesAndQuotesValuesInAscii) {
  const absl::Status status = BadField("f", std::string(10'000, 'x'));
  EXPECT_LE(status.message().size(), 512u);
  EXPECT_EQ(Quoted("a\xff\n"), "\"a\\377\\n\"");
  EXPECT_LT(Quoted(std::string(1000, 'x')).size(), 80u);
}

}  // namespace
}  // namespace gwm::server
