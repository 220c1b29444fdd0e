// Every parser meets thousands of damaged inputs, the same ones in every run. It must answer with a
// status, and what it accepts must keep its promises; under the address sanitizer this also finds
// reads out of bounds.
#include <functional>
#include <random>

#include "engine/io/image.h"
#include "engine/io/safetensors.h"
#include "engine/io/zstd.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

constexpr int kMutationsPerParser = 20'000;

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // One to four damages to a copy of `bytes`, most of them in the first `head` bytes.
  std::string Damage(std::string bytes, size_t head) {
    const int damages = 1 + static_cast<int>(Below(4));
    for (int i = 0; i < damages && !bytes.empty(); ++i) DamageOnce(bytes, head);
    return bytes;
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void DamageOnce(std::string& bytes, size_t head) {
    static constexpr std::string_view kTokens[] = {"9223372036854775807",
                                                   "18446744073709551615",
                                                   "-1",
                                                   "1e999",
                                                   "null",
                                                   "[",
                                                   "]",
                                                   "{",
                                                   "}",
                                                   "\"",
                                                   ",",
                                                   ":",
                                                   "0",
                                                   "\"__metadata__\"",
                                                   "\"shape\"",
                                                   "\"F64\"",
                                                   "\xff",
                                                   "\\u0000"};
    const size_t range = Below(4) == 0 ? bytes.size() : std::min(bytes.size(), head);
    const size_t at = Below(range);
    const size_t length = std::min<size_t>(1 + Below(16), bytes.size() - at);
    switch (Below(8)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(Below(256));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 5:
        bytes.replace(at, length, length, Below(2) == 0 ? '\0' : '\xff');
        break;
      case 6:
        bytes.insert(at, kTokens[Below(std::size(kTokens))]);
        break;
      default: {
        const std::string_view token = kTokens[Below(std::size(kTokens))];
        bytes.replace(at, std::min(token.size(), bytes.size() - at), token);
      }
    }
  }

  std::mt19937_64 random_;
};

// Runs `parse` (true: accepted) on damaged copies of `valid`; both answers must occur.
void Mutate(const std::string& valid, size_t head, uint64_t seed,
            const std::function<bool(const std::string&)>& parse) {
  ASSERT_TRUE(parse(valid));
  Mutator mutator(seed);
  int accepted = 0;
  for (int i = 0; i < kMutationsPerParser; ++i) accepted += parse(mutator.Damage(valid, head));
  EXPECT_LT(accepted, kMutationsPerParser);
}

size_t HeaderBytes(const std::string& file) {
  uint64_t size = 0;
  std::memcpy(&size, file.data(), sizeof(size));
  return 8 + size;
}

bool ParsesToSoundTensors(const std::string& bytes) {
  const auto file = ParseTensors(AsBytes(bytes));
  if (!file.ok()) {
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(file.status().message().empty());
    return false;
  }
  size_t total = 0;
  for (const auto& [name, tensor] : file->tensors) {
    EXPECT_EQ(CheckedTensorBytes(tensor.dtype, tensor.shape), tensor.data.size());
    total += tensor.data.size();
  }
  EXPECT_LE(total, bytes.size());
  // What was accepted can be written, and comes back the same.
  EXPECT_TRUE(CheckTensors(*file).ok());
  const auto again = ParseTensors(AsBytes(SerializeTensors(*file)));
  EXPECT_TRUE(again.ok()) << again.status();
  return true;
}

TEST(MutationTest, SafetensorsNeverCrash) {
  TensorFile file;
  file.metadata = {{"format", "x"}, {"k", "v"}};
  file.tensors["a"] = HostTensor::Zeros(DType::kF32, {2, 3});
  file.tensors["b"] = HostTensor::Zeros(DType::kU8, {5});
  file.tensors["c"] = HostTensor::Zeros(DType::kBF16, {});
  const std::string valid = SerializeTensors(file);
  Mutate(valid, HeaderBytes(valid), 1, ParsesToSoundTensors);
}

TEST(MutationTest, EpisodesNeverCrash) {
  const std::string valid = SerializeTensors(EpisodeToTensors(SmallEpisode(2, 1, 2, 2, 2)));
  Mutate(valid, HeaderBytes(valid), 2, [](const std::string& bytes) {
    auto file = ParseTensors(AsBytes(bytes));
    if (!file.ok()) return false;
    const auto episode = EpisodeFromTensors(*std::move(file));
    if (!episode.ok()) return false;
    EXPECT_EQ(episode->rgb.elements(), 3 * episode->depth_mm.elements());
    EXPECT_EQ(episode->reward.elements(), episode->frames());
    return true;
  });
}

TEST(MutationTest, EpisodeTensorsNeverCrashWhateverTheirShapes) {
  Mutator mutator(3);
  std::mt19937_64 random(4);
  const TensorFile valid = EpisodeToTensors(SmallEpisode(2, 1, 2, 2, 2));
  int accepted = 0;
  for (int i = 0; i < kMutationsPerParser; ++i) {
    TensorFile file = valid;
    auto victim = file.tensors.begin();
    std::advance(victim, random() % file.tensors.size());
    HostTensor& tensor = victim->second;
    tensor.dtype = static_cast<DType>(random() % 13);
    const size_t dim = random() % tensor.shape.size();
    tensor.shape[dim] = random() % 2 == 0 ? static_cast<int64_t>(random() % 4) : tensor.shape[dim];
    if (random() % 4 == 0) tensor.shape.push_back(static_cast<int64_t>(random()));
    tensor.data = mutator.Damage(tensor.data, tensor.data.size());
    accepted += EpisodeFromTensors(std::move(file)).ok();
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, kMutationsPerParser / 2);
}

TEST(MutationTest, ZstdNeverCrashesNorPassesTheLimit) {
  std::string content;
  for (int i = 0; i < 3000; ++i) content += static_cast<char>('a' + i * i % 7);
  Mutate(*ZstdCompress(content), 64, 5, [](const std::string& bytes) {
    constexpr size_t kLimit = 10'000;
    const auto unpacked = ZstdDecompress(bytes, kLimit);
    if (!unpacked.ok()) return false;
    EXPECT_LE(unpacked->size(), kLimit);
    return true;
  });
}

TEST(MutationTest, PngNeverCrashes) {
  Image image = Image::Filled(9, 7, 10, 20, 30);
  image.pixels[5] = 99;
  const std::string valid = *EncodePng(image);
  Mutate(valid, valid.size(), 6, [](const std::string& bytes) {
    const auto decoded = DecodePng(bytes);
    if (!decoded.ok()) return false;
    EXPECT_EQ(decoded->pixels.size(), size_t{3} * decoded->width * decoded->height);
    return true;
  });
}

}  // namespace
}  // namespace gwm::io
