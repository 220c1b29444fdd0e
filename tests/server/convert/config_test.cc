#include "server/convert/config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "server/base/error.h"

namespace gwm::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Every field another value than its default.
void FillAll(Message& message, int& next) {
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    ++next;
    if (field->is_repeated()) {
      reflection.AddString(&message, field, "127.0.0.1:" + std::to_string(next));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      FillAll(*reflection.MutableMessage(&message, field), next);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      reflection.SetString(&message, field, "value" + std::to_string(next));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      reflection.SetUInt32(&message, field, static_cast<uint32_t>(next));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      reflection.SetUInt64(&message, field, static_cast<uint64_t>(next));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      reflection.SetInt64(&message, field, next);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      reflection.SetBool(&message, field, true);
    }
  }
}

TEST(ConfigTest, EveryFieldIsTranslated) {
  v1::ServerConfig config;
  int next = 0;
  FillAll(config, next);
  config.set_device("cuda");
  config.set_precision("bf16");
  config.set_log_level("warn");
  config.mutable_limits()->mutable_default_idle_ttl()->set_seconds(20);
  config.mutable_limits()->mutable_min_idle_ttl()->set_seconds(10);
  config.mutable_limits()->mutable_max_idle_ttl()->set_seconds(30);
  for (auto* duration : {config.mutable_drain_timeout(), config.mutable_lame_duck()}) {
    duration->set_nanos(7);
  }
  config.mutable_drain_timeout()->set_seconds(1000);
  const auto options = FromProto(config);
  ASSERT_TRUE(options.ok()) << options.status();
  google::protobuf::util::MessageDifferencer differencer;
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(config, ToProto(*options))) << difference;
}

TEST(ConfigTest, AnEmptyFileMeansTheDefaults) {
  const auto config = ParseConfigText("");
  ASSERT_TRUE(config.ok());
  const auto options = FromProto(*config);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->listen, std::vector<std::string>{"127.0.0.1:50051"});
  EXPECT_EQ(options->limits.max_sessions, 256u);
  EXPECT_EQ(options->drain.timeout, absl::Seconds(25));
  EXPECT_EQ(options->drain.lame_duck, absl::Seconds(5));
}

TEST(ConfigTest, PrintedTextParsesToTheSame) {
  const v1::ServerConfig config = ToProto(ServerOptions());
  const auto parsed = ParseConfigText(ConfigText(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(config, *parsed));
}

TEST(ConfigTest, AnUnknownFieldIsAnErrorWithItsPlace) {
  const auto config = ParseConfigText("checkpoint: \"a\"\nflavour: 3\n");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(config.status().message().find("line 2"), absl::string_view::npos) << config.status();
}

TEST(ConfigTest, ValuesThatCannotBeNameTheirField) {
  for (const auto& [text, field] : std::vector<std::pair<std::string, std::string>>{
           {"device: \"tpu\"", "device"},
           {"precision: \"fp8\"", "precision"},
           {"log_level: \"loud\"", "log_level"},
           {"drain_timeout { seconds: -1 }", "drain_timeout"},
           {"drain_timeout { seconds: 4 }", "drain_timeout"},
           {"limits { slow_reader_timeout { nanos: 1 } }", "slow_reader_timeout"},
           {"limits { max_envs_per_session: 100000 }", "max_envs_per_session"},
           {"limits { default_idle_ttl { nanos: 1 } }", "default_idle_ttl"},
           {"limits { max_quantum { seconds: 0 } }", "max_quantum"},
           {"limits { training_share_percent: 91 }", "training_share_percent"},
           {"limits { max_message_bytes: 9999999999 }", "max_message_bytes"}}) {
    const auto config = ParseConfigText(text);
    ASSERT_TRUE(config.ok()) << text;
    EXPECT_EQ(DetailsOf(FromProto(*config).status()).field, field);
  }
}

}  // namespace
}  // namespace gwm::server
