#include "engine/scene/ply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/io/file.h"
#include "engine/scene/glb.h"
#include "engine/scene/splat.h"

namespace gwm {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

HostTensor RandomTensor(std::mt19937& generator, std::vector<int64_t> shape, float mean = 0) {
  HostTensor tensor = HostTensor::Zeros(DType::kF32, std::move(shape));
  std::normal_distribution<float> normal(mean, 1);
  for (float& value : tensor.mutable_values<float>()) value = normal(generator);
  return tensor;
}

GaussianCloud RandomCloud(uint32_t seed, int64_t count, int64_t degree) {
  std::mt19937 generator(seed);
  const int64_t coefficients = (degree + 1) * (degree + 1);
  return {RandomTensor(generator, {count, 3}), RandomTensor(generator, {count, 3}, -3),
          RandomTensor(generator, {count, 4}), RandomTensor(generator, {count, coefficients, 3}),
          RandomTensor(generator, {count})};
}

void ExpectEqual(const GaussianCloud& a, const GaussianCloud& b) {
  EXPECT_EQ(a.means.data, b.means.data);
  EXPECT_EQ(a.log_scales.data, b.log_scales.data);
  EXPECT_EQ(a.quats.data, b.quats.data);
  EXPECT_EQ(a.sh.shape, b.sh.shape);
  EXPECT_EQ(a.sh.data, b.sh.data);
  EXPECT_EQ(a.opacity_logits.data, b.opacity_logits.data);
}

class PlyRoundTripTest : public ::testing::TestWithParam<std::tuple<PlyFormat, bool, int64_t>> {};

TEST_P(PlyRoundTripTest, KeepsEveryBit) {
  const auto [format, normals, degree] = GetParam();
  const GaussianCloud cloud = RandomCloud(17, 23, degree);
  const std::string file =
      SerializePly(cloud, {.format = format, .normals = normals, .comments = {"made by a test"}});
  const absl::StatusOr<GaussianCloud> back = ParsePly(Bytes(file));
  ASSERT_TRUE(back.ok()) << back.status();
  ExpectEqual(*back, cloud);
}

INSTANTIATE_TEST_SUITE_P(Formats, PlyRoundTripTest,
                         ::testing::Combine(::testing::Values(PlyFormat::kAscii,
                                                              PlyFormat::kBinaryLittleEndian,
                                                              PlyFormat::kBinaryBigEndian),
                                            ::testing::Bool(), ::testing::Values(0, 1, 2, 3, 4)));

struct GoldenPly {
  const char* name;
  PlyOptions options;
};

class PlyGoldenTest : public ::testing::TestWithParam<GoldenPly> {};

TEST_P(PlyGoldenTest, WritesTheBytesOfThePublicWriter) {
  const absl::StatusOr<std::string> file =
      io::ReadFile(absl::StrCat("tests/golden/cases/", GetParam().name));
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::StatusOr<GaussianCloud> cloud = ParsePly(Bytes(*file));
  ASSERT_TRUE(cloud.ok()) << cloud.status();
  EXPECT_EQ(SerializePly(*cloud, GetParam().options), *file);
}

INSTANTIATE_TEST_SUITE_P(
    Files, PlyGoldenTest,
    ::testing::Values(GoldenPly{"ply_gsplat_sh0.ply", {}}, GoldenPly{"ply_gsplat_sh3.ply", {}},
                      GoldenPly{"ply_3dgs_sh1.ply", {.normals = true}},
                      GoldenPly{"ply_3dgs_ascii.ply",
                                {.format = PlyFormat::kAscii, .normals = true}}));

std::string WithHeader(const std::string& header, const std::string& body) {
  return absl::StrCat("ply\n", header, "end_header\n", body);
}

constexpr char kShuffledProperties[] =
    "property double rot_3\nproperty float x\nproperty uchar red\nproperty float y\nproperty float "
    "z\n"
    "property float opacity\nproperty float f_dc_2\nproperty float f_dc_1\nproperty float f_dc_0\n"
    "property float scale_0\nproperty float scale_1\nproperty float scale_2\nproperty float rot_0\n"
    "property float rot_1\nproperty float rot_2\n";
constexpr char kShuffledRow[] = "0.5 1 255 2 3 4 5 6 7 8 9 10 11 12 13\n";

TEST(PlyTest, ReadsAnyOrderAndIgnoresWhatItDoesNotKnow) {
  const std::string file = WithHeader(
      absl::StrCat("format ascii 1.0\r\ncomment hello\nobj_info x\nelement other 2\n"
                   "property int a\nproperty int b\nelement vertex 1\n",
                   kShuffledProperties, "element face 7\nproperty list uchar int vertex_index\n"),
      absl::StrCat("1 2\n3 4\n", kShuffledRow, "3 0 1 2\n"));
  const absl::StatusOr<GaussianCloud> cloud = ParsePly(Bytes(file));
  ASSERT_TRUE(cloud.ok()) << cloud.status();
  EXPECT_THAT(cloud->means.values<float>(), ::testing::ElementsAre(1, 2, 3));
  EXPECT_THAT(cloud->sh.values<float>(), ::testing::ElementsAre(7, 6, 5));
  EXPECT_THAT(cloud->quats.values<float>(), ::testing::ElementsAre(11, 12, 13, 0.5));
  EXPECT_THAT(cloud->opacity_logits.values<float>(), ::testing::ElementsAre(4));
}

TEST(PlyTest, SaysWhatIsWrong) {
  const std::string vertex = "format ascii 1.0\nelement vertex 1\n";
  const auto message = [](const std::string& file) {
    const auto result = ParsePly(Bytes(file));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(result.status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("no end_header within 0 lines"));
  EXPECT_THAT(message("PNG\n"), HasSubstr("the first line is not 'ply'"));
  EXPECT_THAT(message(WithHeader("", "")), HasSubstr("line 2: the header has no format line"));
  EXPECT_THAT(message(WithHeader("format utf 1.0\n", "")), HasSubstr("line 2: format is none of"));
  EXPECT_THAT(message(WithHeader("format ascii 1.0\nelement vertex -1\n", "")),
              HasSubstr("COUNT >= 0"));
  EXPECT_THAT(message(WithHeader(vertex + "property float x\n", "1\n")),
              HasSubstr("no property 'f_dc_0': not a 3DGS file"));
  EXPECT_THAT(message(WithHeader(vertex + "property float x\nproperty float x\n", "")),
              HasSubstr("a property appears twice"));
  EXPECT_THAT(message(WithHeader(vertex + "property float f_rest_0\n", "1\n")),
              HasSubstr("1 f_rest_* properties, expected 0, 9, 24, 45 or 72"));
  EXPECT_THAT(message(WithHeader(
                  absl::StrCat("format ascii 1.0\nelement vertex 9999999\n", kShuffledProperties),
                  kShuffledRow)),
              HasSubstr("the header promises 9999999 rows of 'vertex'"));
  EXPECT_THAT(message(WithHeader(absl::StrCat(vertex, kShuffledProperties),
                                 "0.5 1 255 2 three 4 5 6 7 8 9 10 11 12 13\n")),
              HasSubstr("vertex 0: no number for 'z'"));
  EXPECT_EQ(ReadPly("/nonexistent.ply").status().code(), absl::StatusCode::kNotFound);
}

// Bytes replaced, removed, doubled and cut: the reader answers with a cloud or an error, never with
// a crash, and what it accepts has consistent shapes.
TEST(PlyFuzzTest, SurvivesThousandsOfMutations) {
  std::mt19937 generator(1234);
  std::vector<std::string> seeds;
  for (PlyFormat format :
       {PlyFormat::kAscii, PlyFormat::kBinaryLittleEndian, PlyFormat::kBinaryBigEndian}) {
    for (int64_t degree : {0, 1}) {
      seeds.push_back(SerializePly(RandomCloud(5, 3, degree), {.format = format}));
    }
  }
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string file = seeds[generator() % seeds.size()];
    const size_t header = file.find("end_header");
    for (uint32_t edit = 0; edit <= generator() % 4; ++edit) {
      // Two thirds of the edits hit the header, where a byte means most.
      const size_t range = generator() % 3 ? std::min(header + 11, file.size()) : file.size();
      if (range == 0) break;
      const size_t at = generator() % range;
      switch (generator() % 5) {
        case 0:
          file[at] = static_cast<char>(generator());
          break;
        case 1:
          file.erase(at, 1 + generator() % 8);
          break;
        case 2:
          file.insert(at, file.substr(at, generator() % 16));
          break;
        case 3:
          file.insert(at, 1, "0123456789 \n-"[generator() % 13]);
          break;
        default:
          file.resize(at);
          break;
      }
    }
    const absl::StatusOr<GaussianCloud> cloud = ParsePly(Bytes(file));
    if (!cloud.ok()) {
      EXPECT_EQ(cloud.status().code(), absl::StatusCode::kInvalidArgument) << cloud.status();
      continue;
    }
    ++accepted;
    for (const HostTensor* tensor :
         {&cloud->means, &cloud->log_scales, &cloud->quats, &cloud->sh, &cloud->opacity_logits}) {
      ASSERT_EQ(static_cast<int64_t>(tensor->data.size()), 4 * tensor->elements());
      ASSERT_EQ(tensor->shape[0], cloud->means.shape[0]);
    }
    InspectCloud(*cloud);
  }
  EXPECT_GT(accepted, 100) << "the mutations should leave some files readable";
}

TEST(CloudReportTest, FindsActivatedValuesAndBadNumbers) {
  GaussianCloud cloud = RandomCloud(3, 50, 0);
  EXPECT_THAT(InspectCloud(cloud).warnings, IsEmpty());
  for (float& value : cloud.log_scales.mutable_values<float>()) value = std::exp(value);
  for (float& value : cloud.opacity_logits.mutable_values<float>())
    value = 1 / (1 + std::exp(-value));
  cloud.means.mutable_values<float>()[4] = NAN;
  const CloudReport report = InspectCloud(cloud);
  EXPECT_EQ(report.non_finite, 1);
  EXPECT_EQ(report.count, 50);
  const std::string text = ToString(report);
  EXPECT_THAT(text, HasSubstr("linear values instead of logarithms?"));
  EXPECT_THAT(text, HasSubstr("probabilities instead of logits?"));
  EXPECT_THAT(text, HasSubstr("1 Gaussians hold NaN"));
}

TEST(SplatTest, WritesActivatedRecordsMostImportantFirst) {
  GaussianCloud cloud = RandomCloud(8, 2, 1);
  const auto set = [](HostTensor& tensor, std::initializer_list<float> values) {
    std::copy(values.begin(), values.end(), tensor.mutable_values<float>().begin());
  };
  set(cloud.means, {1, 2, 3, 4, 5, 6});
  set(cloud.log_scales, {-3, -3, -3, 0, 0, 0});
  set(cloud.quats, {1, 0, 0, 0, 0, 3, 0, 0});
  set(cloud.opacity_logits, {0, 0});
  const std::string file = SerializeSplat(cloud);
  ASSERT_EQ(file.size(), 64u);
  float values[6];
  std::memcpy(values, file.data(), sizeof(values));
  EXPECT_THAT(values, ::testing::ElementsAre(4, 5, 6, 1, 1, 1)) << "the larger one comes first";
  EXPECT_EQ(static_cast<uint8_t>(file[27]), 128) << "opacity 0.5";
  EXPECT_EQ(static_cast<uint8_t>(file[28]), 128) << "w = 0";
  EXPECT_EQ(static_cast<uint8_t>(file[29]), 255) << "x = 1 of the normalised quaternion";
}

uint32_t ReadU32(const std::string& file, size_t at) {
  uint32_t value;
  std::memcpy(&value, file.data() + at, sizeof(value));
  return value;
}

TEST(GlbTest, ChunksAndAttributesAreConsistent) {
  const std::string file = SerializeGlb(RandomCloud(9, 5, 4));
  ASSERT_EQ(file.substr(0, 4), "glTF");
  EXPECT_EQ(ReadU32(file, 4), 2u);
  EXPECT_EQ(ReadU32(file, 8), file.size());
  const uint32_t json_bytes = ReadU32(file, 12);
  EXPECT_EQ(file.substr(16, 4), "JSON");
  EXPECT_EQ(json_bytes % 4, 0u);
  const std::string json = file.substr(20, json_bytes);
  EXPECT_THAT(json, HasSubstr("\"KHR_gaussian_splatting:SH_DEGREE_3_COEF_6\""));
  EXPECT_THAT(json, ::testing::Not(HasSubstr("SH_DEGREE_4"))) << "the extension ends at degree 3";
  EXPECT_THAT(json, HasSubstr("\"kernel\":\"ellipse\""));
  const uint32_t binary_bytes = ReadU32(file, 20 + json_bytes);
  EXPECT_EQ(file.substr(24 + json_bytes, 4), std::string("BIN\0", 4));
  EXPECT_EQ(binary_bytes, 5u * sizeof(float) * (3 + 4 + 3 + 1 + 16 * 3));
  EXPECT_EQ(file.size(), 28 + json_bytes + binary_bytes);
}

}  // namespace
}  // namespace gwm
