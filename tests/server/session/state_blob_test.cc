#include "server/session/state_blob.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/escaping.h"
#include "engine/io/crc32c.h"
#include "server/base/error.h"
#include "server/session/hmac.h"

namespace gwm::server {
namespace {

constexpr char kDigest[] = "abcd";

StateContent Sample() {
  StateContent content{.model_id = "m", .checkpoint_digest = kDigest, .max_episode_steps = 50};
  content.env = {.phase = EnvPhase::kDone,
                 .state = nullptr,
                 .seed = UINT64_MAX,
                 .noise_env = (3u << 16) + 2,
                 .resets = 4,
                 .steps = 17,
                 .real_step = 11,
                 .cameras = {}};
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  content.tensors["latents"] = HostTensor::From<float>({2, 3}, std::span(values));
  content.tensors["frame"] = HostTensor{DType::kU8, {3}, "abc"};
  return content;
}

std::string ReasonOf(const std::string& blob, const std::string& key = "") {
  return DetailsOf(DecodeState(blob, key, "state.blob").status()).reason;
}

// The blob with another value at `at`, and a checksum that fits it.
std::string Resealed(std::string blob, size_t at, char value) {
  blob[at] = value;
  const uint32_t crc = io::Crc32c(std::string_view(blob).substr(0, blob.size() - 4));
  blob.replace(blob.size() - 4, 4, reinterpret_cast<const char*>(&crc), 4);
  return blob;
}

TEST(HmacTest, GivesThePublishedValues) {
  // RFC 4231, test cases 2 and 6.
  EXPECT_EQ(absl::BytesToHexString(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      absl::BytesToHexString(HmacSha256(std::string(131, '\xaa'),
                                        "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(StateBlobTest, GivesBackEverything) {
  for (const std::string key : {"", "secret"}) {
    const auto content = DecodeState(EncodeState(Sample(), key), key, "blob");
    ASSERT_TRUE(content.ok()) << content.status();
    EXPECT_EQ(content->model_id, "m");
    EXPECT_EQ(content->max_episode_steps, 50u);
    EXPECT_EQ(content->env.phase, EnvPhase::kDone);
    EXPECT_EQ(content->env.seed, UINT64_MAX);
    EXPECT_EQ(content->env.noise_env, (3u << 16) + 2);
    EXPECT_EQ(content->env.resets, 4u);
    EXPECT_EQ(content->env.steps, 17u);
    EXPECT_EQ(content->env.real_step, 11u);
    ASSERT_EQ(content->tensors.size(), 2u);
    EXPECT_EQ(content->tensors.at("latents").shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(content->tensors.at("latents").data, Sample().tensors.at("latents").data);
    EXPECT_EQ(content->tensors.at("frame").data, "abc");
  }
}

TEST(StateBlobTest, AStateThatWasRealAfterItsStepIsCorrupt) {
  StateContent content = Sample();
  content.env.real_step = 18;
  EXPECT_EQ(ReasonOf(EncodeState(content, "")), "STATE_CORRUPT");
}

TEST(StateBlobTest, EveryTruncationIsNoticed) {
  const std::string blob = EncodeState(Sample(), "");
  for (size_t size = 0; size < blob.size(); ++size) {
    EXPECT_EQ(ReasonOf(blob.substr(0, size)), "STATE_CORRUPT") << size;
  }
  EXPECT_EQ(ReasonOf(blob + "x"), "STATE_CORRUPT");
}

TEST(StateBlobTest, EveryChangedByteIsNoticed) {
  const std::string blob = EncodeState(Sample(), "");
  for (size_t at = 0; at < blob.size(); ++at) {
    std::string changed = blob;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    EXPECT_NE(ReasonOf(changed), "") << at;
  }
}

TEST(StateBlobTest, ABlobThatSomebodyMadeUpNeverCrashes) {
  const std::string blob = EncodeState(Sample(), "");
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const size_t at = 16 + random() % (blob.size() - 20);
    ReasonOf(Resealed(blob, at, static_cast<char>(random())));
  }
}

TEST(StateBlobTest, AnotherSchemaIsAMismatch) {
  const std::string blob = EncodeState(Sample(), "");
  EXPECT_EQ(ReasonOf(Resealed(blob, 8, 2)), "STATE_MISMATCH");
}

TEST(StateBlobTest, AKeyTakesOnlyWhatItSealed) {
  const std::string open = EncodeState(Sample(), ""), sealed = EncodeState(Sample(), "k");
  EXPECT_EQ(ReasonOf(open, "k"), "STATE_CORRUPT");
  EXPECT_EQ(ReasonOf(sealed, "other"), "STATE_CORRUPT");
  EXPECT_EQ(ReasonOf(sealed, ""), "");
}

}  // namespace
}  // namespace gwm::server
