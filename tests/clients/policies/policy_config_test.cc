#include "clients/policies/policy_config.h"

#include "tests/clients/policies/test_support.h"

namespace gwm::policies {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  return text.replace(at, from.size(), to);
}

class PolicyConfigTest : public ::testing::TestWithParam<HeadCase> {};

TEST_P(PolicyConfigTest, ReadsBackWhatItWrote) {
  const std::string text = WriteConfig(SmallConfig(GetParam().head, GetParam().denoiser));
  const auto read = ReadConfig(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(WriteConfig(*read), text);
  EXPECT_EQ(read->spec.action_dim, 2);
}

INSTANTIATE_TEST_SUITE_P(Heads, PolicyConfigTest, ::testing::ValuesIn(kHeadCases), NameOfHead);

TEST(PolicyConfigErrorTest, NamesTheUnknownField) {
  const std::string text = WriteConfig(SmallConfig(HeadKind::kFlow));
  EXPECT_THAT(ErrorOf(ReadConfig(Replaced(text, "\"time_scale\"", "\"timescale\"")).status()),
              HasSubstr("unknown field flow.timescale"));
  EXPECT_THAT(ErrorOf(ReadConfig(Replaced(text, "\"flow\": {", "\"gmm\": {")).status()),
              HasSubstr("unknown field gmm"));
}

TEST(PolicyConfigErrorTest, NamesTheFieldOfAnotherType) {
  const std::string text = WriteConfig(SmallConfig(HeadKind::kDiffusion));
  EXPECT_THAT(ErrorOf(ReadConfig(Replaced(text, "\"horizon\": 4", "\"horizon\": 4.5")).status()),
              HasSubstr("spec.horizon has the wrong type: 4.5"));
  EXPECT_THAT(ErrorOf(ReadConfig(Replaced(text, "\"seed\": 7", "\"seed\": -7")).status()),
              HasSubstr("seed has the wrong type"));
  EXPECT_THAT(
      ErrorOf(ReadConfig(Replaced(text, "\"horizon\": 4", "\"horizon\": 9223372036854775808"))
                  .status()),
      HasSubstr("spec.horizon has the wrong type"));
}

TEST(PolicyConfigErrorTest, ListsTheKindsThatThereAre) {
  const std::string text = WriteConfig(SmallConfig(HeadKind::kDiffusion));
  EXPECT_THAT(
      ErrorOf(ReadConfig(Replaced(text, "\"head\": \"diffusion\"", "\"head\": \"act\"")).status()),
      HasSubstr("head is 'act', allowed are mse, gmm, diffusion, flow"));
  EXPECT_THAT(ErrorOf(ParseHeadKind("").status()), HasSubstr("allowed are mse"));
}

TEST(PolicyConfigErrorTest, RefusesTextThatIsNoConfig) {
  for (const char* text : {"", "[]", "{", "{}", "{\"format\": \"gwm-policy-2\"}", "null"}) {
    EXPECT_THAT(ErrorOf(ReadConfig(text).status()), HasSubstr("config: "));
  }
}

TEST(PolicyConfigErrorTest, SaysWhichRangeANumberMustKeep) {
  const auto error = [](HeadKind head, DenoiserKind denoiser, auto change) {
    PolicyConfig config = SmallConfig(head, denoiser);
    change(config);
    return ErrorOf(CheckConfig(config));
  };
  const auto unet = DenoiserKind::kUnet;
  const auto diffusion = HeadKind::kDiffusion;
  EXPECT_THAT(error(diffusion, unet, [](PolicyConfig& c) { c.spec.horizon = 5; }),
              HasSubstr("spec.horizon is 5, must be a multiple of 2"));
  EXPECT_THAT(error(diffusion, unet,
                    [](PolicyConfig& c) {
                      c.unet.widths = {8, 18};
                    }),
              HasSubstr("unet.widths is 18, must be a multiple of 4"));
  EXPECT_THAT(error(diffusion, unet,
                    [](PolicyConfig& c) {
                      c.unet.widths = {4, 8};
                    }),
              HasSubstr("unet.widths' first is 4, must be a multiple of 8"));
  EXPECT_THAT(error(diffusion, unet, [](PolicyConfig& c) { c.unet.kernel = 4; }),
              HasSubstr("unet.kernel is 4, must be odd"));
  EXPECT_THAT(error(diffusion, unet, [](PolicyConfig& c) { c.unet.widths.clear(); }),
              HasSubstr("unet.widths' length is 0, must be from 1"));
  EXPECT_THAT(error(diffusion, unet, [](PolicyConfig& c) { c.diffusion.sampling_steps = 11; }),
              HasSubstr("diffusion.sampling_steps is 11, must be from 1 to 10"));
  EXPECT_THAT(error(diffusion, unet, [](PolicyConfig& c) { c.spec.current_action = 4; }),
              HasSubstr("spec.current_action is 4, must be from 0 to 3"));
  EXPECT_THAT(error(diffusion, DenoiserKind::kTransformer,
                    [](PolicyConfig& c) { c.transformer.heads = 3; }),
              HasSubstr("transformer.width is 8, must be a multiple of 3"));
  EXPECT_THAT(error(HeadKind::kGmm, unet, [](PolicyConfig& c) { c.gmm.least_std = 0; }),
              HasSubstr("gmm.least_std is 0, must be above 0"));
  EXPECT_THAT(error(HeadKind::kMse, unet, [](PolicyConfig& c) { c.spec.action_dim = 0; }),
              HasSubstr("spec.action_dim is 0, must be from 1"));
}

}  // namespace
}  // namespace gwm::policies
