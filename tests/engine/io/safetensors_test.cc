#include "engine/io/safetensors.h"

#include <filesystem>

#include "engine/io/file.h"
#include "engine/io/zstd.h"
#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

// A file of the given header and `data_bytes` bytes of data.
std::string WithHeader(const std::string& json, size_t data_bytes) {
  const uint64_t size = json.size();
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
  return bytes + json + std::string(data_bytes, 'd');
}

absl::Status ParseStatus(const std::string& json, size_t data_bytes) {
  return ParseTensors(AsBytes(WithHeader(json, data_bytes))).status();
}

void ExpectRefused(const std::string& json, size_t data_bytes,
                   std::initializer_list<const char*> parts) {
  SCOPED_TRACE(json.substr(0, 200));
  ExpectStatus(ParseStatus(json, data_bytes), absl::StatusCode::kInvalidArgument, parts);
}

TensorFile SampleFile() {
  TensorFile file;
  file.metadata = {{"format", "pt"}, {"quote\"and\\", "line\nbreak \xc3\xa9"}};
  int64_t size = 1;
  for (const char* name : {"u8", "u16", "i32", "i64", "f16", "bf16", "f32", "f64", "bool", "i8",
                           "i16", "u32", "u64"}) {
    HostTensor tensor = HostTensor::Zeros(*DTypeFromName(name), {size, 3});
    for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = static_cast<char>(i % 2);
    file.tensors[std::string("x.") + name] = std::move(tensor);
    ++size;
  }
  file.tensors["scalar"] = HostTensor::Zeros(DType::kF32, {});
  file.tensors["empty"] = HostTensor::Zeros(DType::kF32, {0, 7});
  return file;
}

void ExpectSame(const TensorFile& a, const TensorFile& b) {
  EXPECT_EQ(a.metadata, b.metadata);
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    ASSERT_TRUE(b.tensors.contains(name)) << name;
    const HostTensor& other = b.tensors.at(name);
    EXPECT_EQ(DescribeTensor(tensor), DescribeTensor(other)) << name;
    EXPECT_EQ(tensor.data, other.data) << name;
  }
}

TEST(SafetensorsTest, GivesBackEveryDTypeShapeAndMetadata) {
  const TensorFile file = SampleFile();
  const auto parsed = ParseTensors(AsBytes(SerializeTensors(file)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ExpectSame(file, *parsed);
}

TEST(SafetensorsTest, AlignsTheDataAndEveryTensor) {
  const std::string bytes = SerializeTensors(SampleFile());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  EXPECT_EQ(header_bytes % 8, 0u);
  const std::string header = bytes.substr(8, header_bytes);
  // Widest first: the eight-byte types start the data, the one-byte types end it.
  EXPECT_LT(header.find("x.u64"), header.find("x.f32"));
  EXPECT_LT(header.find("x.f32"), header.find("x.bf16"));
  EXPECT_LT(header.find("x.bf16"), header.find("x.bool"));
}

TEST(SafetensorsTest, ReadsAFileWithoutTensors) {
  const auto parsed = ParseTensors(AsBytes(SerializeTensors({})));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->tensors.empty());
}

TEST(SafetensorsTest, AcceptsTensorsInAnyOrderAndSpacesAtTheEnd) {
  const auto parsed =
      ParseTensors(AsBytes(WithHeader(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},)"
                                      R"("a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}}   )",
                                      6)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->tensors.at("b").data, "dd");
}

TEST(SafetensorsTest, RefusesAHeaderLengthThatTheFileDoesNotHold) {
  ExpectStatus(ParseTensors(AsBytes("1234567")).status(), absl::StatusCode::kInvalidArgument,
               {"7 bytes"});
  for (uint64_t length : {uint64_t{3}, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 7}) {
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    ExpectStatus(ParseTensors(AsBytes(bytes + "{}")).status(), absl::StatusCode::kInvalidArgument,
                 {"header of", "at most 2"});
  }
}

TEST(SafetensorsTest, RefusesHeadersThatAreNoJsonObject) {
  ExpectRefused("", 0, {"'{'"});
  ExpectRefused(" {}", 0, {"'{'"});
  ExpectRefused("[]", 0, {"'{'"});
  ExpectRefused("{", 0, {"JSON"});
  ExpectRefused("{} x", 0, {"JSON at byte 3"});
  ExpectRefused("{}{}", 0, {"JSON"});
  ExpectRefused(std::string("{}\0}", 4), 0, {"JSON at byte 2"});
  ExpectRefused("{\"a\xff\":1}", 0, {"JSON at byte 3"});
  ExpectRefused("{\"a\":" + std::string(100'000, '['), 0, {"tensor 'a'", "an array"});
}

TEST(SafetensorsTest, NamesTheFieldThatIsWrong) {
  const std::string end = R"(,"data_offsets":[0,4]}})";
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[-1])" + end, 4, {"'w' (shape)", "-1"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[1.5])" + end, 4, {"'w' (shape)", "1.5"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[null])" + end, 4, {"'w' (shape)", "null"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[[1]])" + end, 4, {"'w' (shape)", "array"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":"1")" + end, 4, {"'w' (shape)", "a string"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[99999999999999999999])" + end, 4, {"'w'"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[18446744073709551615])" + end, 4, {"'w'", "huge"});
  ExpectRefused(R"({"w":{"dtype":7,"shape":[1])" + end, 4, {"'w' (dtype)", "7"});
  ExpectRefused(R"({"w":{"dtype":"F8_E4M3","shape":[4])" + end, 4, {"'w'", "F8_E4M3", "BF16"});
  ExpectRefused(R"({"w":{"dtype":"f32","shape":[1])" + end, 4, {"'w'", "'f32'"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[1],"x":1)" + end, 4, {"unknown field 'x'"});
  ExpectRefused(R"({"w":{"dtype":"F32","dtype":"F32","shape":[1])" + end, 4, {"'dtype' twice"});
  ExpectRefused(R"({"w":{"shape":[1])" + end, 4, {"'w' has no dtype"});
  ExpectRefused(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, {"'w' has no shape"});
  ExpectRefused(R"({"w":{"dtype":"F32","shape":[1]}})", 4, {"'w' has no data_offsets"});
  ExpectRefused(R"({"w":[]})", 0, {"'w'", "an array", "must be an object"});
}

TEST(SafetensorsTest, RefusesTooManyDimensions) {
  std::string shape = "1";
  for (int i = 0; i < 64; ++i) shape += ",1";
  ExpectRefused(R"({"w":{"dtype":"U8","shape":[)" + shape + R"(],"data_offsets":[0,1]}})", 1,
                {"'w'", "64 dimensions"});
}

TEST(SafetensorsTest, RefusesOffsetsThatContradictTheShape) {
  const auto file = [](const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":"F32","shape":[)" + shape + R"(],"data_offsets":[)" + offsets + "]}}";
  };
  ExpectRefused(file("2", "0,4"), 4, {"'w'", "[0, 4]", "8 bytes"});
  ExpectRefused(file("1", "4,0"), 4, {"'w'", "[4, 0]"});
  ExpectRefused(file("1", "0"), 4, {"fewer than 2"});
  ExpectRefused(file("1", "0,4,8"), 8, {"more than 2"});
  ExpectRefused(file("1", "18446744073709551612,18446744073709551616"), 4, {"'w'"});
  ExpectRefused(file("4611686018427387904", "0,0"), 0, {"'w'", "too many elements"});
  ExpectRefused(file("4294967296,4294967296,0", "0,0"), 0, {"'w'", "too many elements"});
}

TEST(SafetensorsTest, RefusesOverlapsGapsAndRests) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)" + a +
           R"(]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)" + b + "]}}";
  };
  EXPECT_TRUE(ParseStatus(two("4,8", "0,4"), 8).ok());
  ExpectRefused(two("0,4", "0,4"), 8, {"'b'", "inside another tensor"});
  ExpectRefused(two("0,4", "3,7"), 8, {"'b'", "byte 3", "inside"});
  ExpectRefused(two("0,4", "5,9"), 9, {"'b'", "byte 5", "gap"});
  ExpectRefused(two("0,4", "4,8"), 7, {"'b'", "byte 8 of 7"});
  ExpectRefused(two("0,4", "4,8"), 10, {"2 bytes after"});
}

TEST(SafetensorsTest, RefusesNamesThatOccurTwice) {
  const std::string one = R"("w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  ExpectRefused("{" + one + "," + one + "}", 0, {"'w' occurs twice"});
  ExpectRefused(R"({"__metadata__":{},"__metadata__":{}})", 0, {"__metadata__", "twice"});
  ExpectRefused(R"({"__metadata__":{"a":"1","a":"2"}})", 0, {"'a' twice"});
}

TEST(SafetensorsTest, RefusesMetadataThatIsNoText) {
  ExpectRefused(R"({"__metadata__":{"a":1}})", 0, {"__metadata__ 'a'", "must be a string"});
  ExpectRefused(R"({"__metadata__":{"a":{}}})", 0, {"__metadata__ 'a'", "an object"});
  ExpectRefused(R"({"__metadata__":"x"})", 0, {"__metadata__"});
}

TEST(SafetensorsTest, KeepsMessagesPrintableAndShort) {
  const std::string name(10'000, '\x01');
  TensorFile file;
  file.tensors[name + "\x02"] = HostTensor{DType::kU8, {3}, "ab"};
  const absl::Status status = CheckTensors(file);
  ExpectStatus(status, absl::StatusCode::kInvalidArgument, {"\\x01", "...", "u8 [3]", "2 bytes"});
  EXPECT_LT(status.message().size(), 500u);
}

TEST(SafetensorsTest, FindsTensorsByDTypeAndRank) {
  const TensorFile file = SampleFile();
  const auto found = file.Find("x.f32", DType::kF32, 2);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, &file.tensors.at("x.f32"));
  EXPECT_TRUE(file.Find("scalar", DType::kF32).ok());
  ExpectStatus(file.Find("y", DType::kF32).status(), absl::StatusCode::kNotFound, {"'y'"});
  ExpectStatus(file.Find("x.f32", DType::kU8).status(), absl::StatusCode::kInvalidArgument,
               {"x.f32", "f32 [7, 3]", "must be u8"});
  ExpectStatus(file.Find("x.f32", DType::kF32, 1).status(), absl::StatusCode::kInvalidArgument,
               {"1 dimensions"});
}

TEST(SafetensorsTest, WritesAndReadsPlainAndCompressedFiles) {
  const ScratchFolder folder;
  const TensorFile file = SampleFile();
  for (const char* name : {"a.safetensors", "a.safetensors.zst"}) {
    ASSERT_TRUE(WriteTensorFile(folder / name, file, 3).ok());
    const auto read = ReadTensorFile(folder / name);
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectSame(file, *read);
  }
  // Compressed data under a plain name is told by its magic.
  std::filesystem::rename(folder / "a.safetensors.zst", folder / "b.safetensors");
  EXPECT_TRUE(ReadTensorFile(folder / "b.safetensors").ok());
}

TEST(SafetensorsTest, StopsAtTheLimitOfDecompressedBytes) {
  const ScratchFolder folder;
  TensorFile file;
  file.tensors["zeros"] = HostTensor::Zeros(DType::kU8, {8 << 20});
  ASSERT_TRUE(WriteTensorFile(folder / "bomb.safetensors.zst", file).ok());
  ExpectStatus(ReadTensorFile(folder / "bomb.safetensors.zst", 1 << 20).status(),
               absl::StatusCode::kResourceExhausted, {"bomb.safetensors.zst"});
}

TEST(SafetensorsTest, NamesTheFileThatIsMissingOrMalformed) {
  const ScratchFolder folder;
  ExpectStatus(ReadTensorFile(folder / "none.safetensors").status(), absl::StatusCode::kNotFound,
               {"none.safetensors"});
  ASSERT_TRUE(WriteFileAtomic(folder / "bad.safetensors", "12345678{}").ok());
  ExpectStatus(ReadTensorFile(folder / "bad.safetensors").status(),
               absl::StatusCode::kInvalidArgument, {"bad.safetensors"});
}

TEST(SafetensorsTest, RefusesToWriteWhatNobodyCouldRead) {
  const ScratchFolder folder;
  const auto write = [&](const TensorFile& file) {
    return WriteTensorFile(folder / "x.safetensors", file);
  };
  ExpectStatus(write({.tensors = {{"\xff", HostTensor::Zeros(DType::kU8, {1})}}}),
               absl::StatusCode::kInvalidArgument, {"UTF-8"});
  ExpectStatus(write({.tensors = {{"__metadata__", HostTensor::Zeros(DType::kU8, {1})}}}),
               absl::StatusCode::kInvalidArgument, {"reserved"});
  ExpectStatus(write({.metadata = {{"key", "\xc3"}}}), absl::StatusCode::kInvalidArgument,
               {"'key'", "UTF-8"});
  ExpectStatus(write({.tensors = {{"w", HostTensor{DType::kF32, {2}, "1234"}}}}),
               absl::StatusCode::kInvalidArgument, {"'w'", "f32 [2]", "4 bytes"});
  EXPECT_FALSE(std::filesystem::exists(folder / "x.safetensors"));
}

}  // namespace
}  // namespace gwm::io
