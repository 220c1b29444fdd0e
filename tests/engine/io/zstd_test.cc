#include "engine/io/zstd.h"

#include <zstd.h>

#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

std::string Sample(size_t size) {
  std::string text;
  for (uint32_t i = 0; text.size() < size; ++i) text += static_cast<char>(i * i >> 5);
  return text;
}

// A frame that does not state the size of its content.
std::string StreamedFrame(const std::string& content) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::string out(ZSTD_compressBound(content.size()) + 64, '\0');
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  const size_t half = content.size() / 2;
  ZSTD_inBuffer first{content.data(), half, 0};
  while (first.pos < first.size) ZSTD_compressStream2(context, &output, &first, ZSTD_e_continue);
  ZSTD_inBuffer second{content.data() + half, content.size() - half, 0};
  while (ZSTD_compressStream2(context, &output, &second, ZSTD_e_end) != 0) {
  }
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

TEST(ZstdTest, GivesBackWhatWasCompressedAtEveryLevel) {
  const std::string content = Sample(300'000);
  for (int level : {1, 9, 19}) {
    const auto packed = ZstdCompress(content, level);
    ASSERT_TRUE(packed.ok());
    EXPECT_LT(packed->size(), content.size());
    const auto unpacked = ZstdDecompress(*packed, content.size());
    ASSERT_TRUE(unpacked.ok()) << unpacked.status();
    EXPECT_EQ(*unpacked, content);
  }
}

TEST(ZstdTest, RefusesLevelsThatDoNotExist) {
  ExpectStatus(ZstdCompress("x", 0).status(), absl::StatusCode::kInvalidArgument, {"level 0"});
  ExpectStatus(ZstdCompress("x", 99).status(), absl::StatusCode::kInvalidArgument, {"level 99"});
}

TEST(ZstdTest, ReadsFramesWithoutASizeAndSeveralFramesInARow) {
  const std::string a = Sample(200'000);
  const std::string b = "second";
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  const std::string bytes = StreamedFrame(a) + skippable + *ZstdCompress(b) + *ZstdCompress("");
  ASSERT_EQ(ZSTD_getFrameContentSize(bytes.data(), bytes.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  const auto unpacked = ZstdDecompress(bytes, 1 << 20);
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, a + b);
}

TEST(ZstdTest, StopsABombAtTheLimit) {
  const std::string packed = *ZstdCompress(std::string(64 << 20, '\0'));
  ASSERT_LT(packed.size(), 16'384u);
  ExpectStatus(ZstdDecompress(packed, 1 << 20).status(), absl::StatusCode::kResourceExhausted,
               {"1048576"});
}

TEST(ZstdTest, AllowsExactlyTheLimit) {
  const std::string content = Sample(100'000);
  for (const std::string& packed : {*ZstdCompress(content), StreamedFrame(content)}) {
    EXPECT_TRUE(ZstdDecompress(packed, content.size()).ok());
    EXPECT_EQ(ZstdDecompress(packed, content.size() - 1).status().code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_TRUE(ZstdDecompress(*ZstdCompress(""), 0).ok());
  EXPECT_FALSE(ZstdDecompress(*ZstdCompress("a"), 0).ok());
}

TEST(ZstdTest, DoesNotTrustAPromisedSize) {
  // Magic, descriptor (8-byte size, single segment), 2^46 bytes of content, and an empty last
  // block.
  const std::string lie("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x40\x00\x00\x01\x00\x00", 16);
  EXPECT_EQ(ZstdDecompress(lie, SIZE_MAX).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ZstdTest, RefusesEveryTruncation) {
  const std::string packed = *ZstdCompress(Sample(5'000));
  for (size_t size = 0; size < packed.size(); ++size) {
    ExpectStatus(ZstdDecompress({packed.data(), size}, 1 << 20).status(),
                 absl::StatusCode::kInvalidArgument, {"zstd data at byte"});
  }
}

TEST(ZstdTest, RefusesRubbishAfterTheFrameAndFlippedContent) {
  std::string packed = *ZstdCompress(Sample(5'000));
  EXPECT_FALSE(ZstdDecompress(packed + "rubbish", 1 << 20).ok());
  packed[packed.size() - 2] ^= 1;
  ExpectStatus(ZstdDecompress(packed, 1 << 20).status(), absl::StatusCode::kInvalidArgument,
               {"checksum"});
}

TEST(ZstdTest, TellsFramesByTheirMagic) {
  EXPECT_TRUE(LooksLikeZstd(*ZstdCompress("abc")));
  EXPECT_FALSE(LooksLikeZstd("abc"));
  EXPECT_FALSE(LooksLikeZstd(""));
}

}  // namespace
}  // namespace gwm::io
