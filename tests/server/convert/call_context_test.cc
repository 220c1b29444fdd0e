#include "server/convert/call_context.h"

#include <gtest/gtest.h>

#include "server/base/error.h"

namespace gwm::server {
namespace {

TEST(CallContextTest, AClientWithoutANameIsItsAddress) {
  CallHandle call(absl::InfiniteFuture(), WorkClass::kImagine, "ipv4:127.0.0.1:5000");
  ASSERT_TRUE(ApplyContext({}, {}, call).ok());
  EXPECT_EQ(call.client(), "ipv4:127.0.0.1:5000");
  EXPECT_FALSE(call.named());
  v1::RequestContext context;
  context.set_client_id("trainer-7");
  ASSERT_TRUE(ApplyContext(context, {}, call).ok());
  EXPECT_EQ(call.client(), "trainer-7");
  EXPECT_TRUE(call.named());
}

TEST(CallContextTest, PriorityMovesACallByOneClass) {
  v1::RequestContext low, high;
  low.set_priority(v1::PRIORITY_LOW);
  high.set_priority(v1::PRIORITY_HIGH);
  const auto class_of = [](const v1::RequestContext& context, bool allow, WorkClass work_class) {
    CallHandle call(absl::InfiniteFuture(), work_class);
    EXPECT_TRUE(ApplyContext(context, {.allow_high_priority = allow}, call).ok());
    return call.work_class();
  };
  EXPECT_EQ(class_of(low, false, WorkClass::kInteractive), WorkClass::kImagine);
  EXPECT_EQ(class_of(low, false, WorkClass::kPerception), WorkClass::kPerception);
  EXPECT_EQ(class_of(high, false, WorkClass::kImagine), WorkClass::kImagine);
  EXPECT_EQ(class_of(high, true, WorkClass::kImagine), WorkClass::kInteractive);
  EXPECT_EQ(class_of(high, true, WorkClass::kInteractive), WorkClass::kInteractive);
}

TEST(CallContextTest, WhatIsWrongIsNamed) {
  CallHandle call(absl::InfiniteFuture());
  v1::RequestContext context;
  context.set_client_id(std::string(65, 'x'));
  EXPECT_EQ(DetailsOf(ApplyContext(context, {}, call)).field, "context.client_id");
  context.clear_client_id();
  context.set_priority(static_cast<v1::Priority>(9));
  EXPECT_EQ(DetailsOf(ApplyContext(context, {}, call)).field, "context.priority");
}

}  // namespace
}  // namespace gwm::server
