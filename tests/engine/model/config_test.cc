#include "engine/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/tokenizer.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;

void ExpectInvalid(const absl::Status& status, const char* part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(ConfigTest, ComesBackFromItsJson) {
  ModelConfig config = ProfileConfig("gwm-tiny").value();
  config.tokenizer.kind = "set";
  config.tokenizer.latent_noise = 0.25;
  config.dynamics.residual = false;
  config.diffusion.heun = true;
  config.reward.bins = 51;
  config.tasks = {"a", "b"};
  config.tokenizer_digest = "0123";
  const std::string json = ConfigToJson(config);
  const auto back = ConfigFromJson(json);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ConfigToJson(*back), json);
  EXPECT_EQ(back->tokenizer.kind, "set");
  EXPECT_EQ(back->tasks, config.tasks);
  EXPECT_FALSE(back->dynamics.residual);
}

TEST(ConfigTest, OverridesOnlyTheFieldsThatAreGiven) {
  const auto config = OverrideConfig(ProfileConfig("gwm-tiny").value(),
                                     R"({"views": 1, "dynamics": {"depth": 3}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->views, 1);
  EXPECT_EQ(config->dynamics.depth, 3);
  EXPECT_EQ(config->dynamics.width, 64);
}

TEST(ConfigTest, NamesUnknownAndIllTypedFields) {
  ExpectInvalid(ConfigFromJson(R"({"hight": 3})").status(), "hight");
  ExpectInvalid(ConfigFromJson(R"({"tokenizer": {"colour": 1}})").status(), "tokenizer.colour");
  ExpectInvalid(ConfigFromJson(R"({"dynamics": {"width": "wide"}})").status(), "dynamics.width");
  ExpectInvalid(ConfigFromJson(R"({"reward": 3})").status(), "reward");
  ExpectInvalid(ConfigFromJson("[]").status(), "not a JSON object");
  ExpectInvalid(ConfigFromJson("{").status(), "not a JSON object");
}

TEST(ConfigTest, KnowsItsProfiles) {
  EXPECT_EQ(ProfileConfig("gwm-tiny")->tokens(), 32);
  EXPECT_EQ(ProfileConfig("gwm-tiny")->tokenizer.latent_dim, 16);
  EXPECT_EQ(ProfileConfig("gwm-small")->tokens(), 64);
  EXPECT_EQ(ProfileConfig("gwm-paper")->tokens(), 512);
  EXPECT_EQ(ProfileConfig("gwm-paper")->tokenizer.latent_dim, 64);
  const auto missing = ProfileConfig("gwm-huge").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("gwm-paper"));
}

TEST(ConfigTest, TokenizersRefuseInconsistentSizes) {
  ModelConfig config = ProfileConfig("gwm-tiny").value();
  config.tokenizer.patch = 6;
  ExpectInvalid(MakeTokenizer(config).status(), "patch is 6");
  config.tokenizer.patch = 8;
  config.height = 36;
  ExpectInvalid(MakeTokenizer(config).status(), "36x32");
  config.tokenizer.kind = "voxels";
  ExpectInvalid(MakeTokenizer(config).status(), "'voxels'");
  config.tokenizer.kind = "set";
  config.tokenizer.heads = 5;
  ExpectInvalid(MakeTokenizer(config).status(), "tokenizer.heads 5");
}

}  // namespace
}  // namespace gwm
