#include "tests/server/rpc/mutations.h"

#include <google/protobuf/descriptor.h>

#include <initializer_list>
#include <limits>

namespace gwm::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

template <typename T>
T Pick(Random& random, std::initializer_list<T> values) {
  return *(values.begin() + random() % values.size());
}

int64_t NastyInteger(Random& random) {
  return Pick<int64_t>(random, {0, 1, -1, 2, 3, 255, 65'536, INT32_MAX, INT32_MIN, INT64_MAX,
                                INT64_MIN, int64_t{1} << 62, static_cast<int64_t>(random())});
}
double NastyNumber(Random& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return Pick<double>(random, {0, -1, 1e-30, 1e30, 1e300, kInfinity, -kInfinity,
                               std::numeric_limits<double>::quiet_NaN()});
}
std::string NastyBytes(Random& random, std::string value) {
  switch (random() % 6) {
    case 0:
      return "";
    case 1:
      return value.substr(0, value.size() / 2);
    case 2:
      return value + value;
    case 3:
      return std::string(value.size(), '\xff');
    case 4:
      return std::string(random() % 100'000, '\x7f');
    default:
      for (int i = 0; i < 4 && !value.empty(); ++i) {
        value[random() % value.size()] = static_cast<char>(random());
      }
      return value;
  }
}

void MutateScalar(Message& message, const FieldDescriptor& field, Random& random) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, static_cast<uint32_t>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, static_cast<uint64_t>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, static_cast<int32_t>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, NastyInteger(random));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.SetFloat(&message, &field, static_cast<float>(NastyNumber(random)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, NastyNumber(random));
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(&message, &field, static_cast<int>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string old = reflection.GetString(message, &field);
      const std::string value = NastyBytes(random, old);
      // A string field must stay UTF-8 to be sent at all.
      const bool bytes = field.type() == FieldDescriptor::TYPE_BYTES;
      return reflection.SetString(&message, &field,
                                  bytes ? value : std::string(value.size() % 99, 'x'));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MutateMessage(*reflection.MutableMessage(&message, &field), random);
    default:
      return;
  }
}

void MutateRepeated(Message& message, const FieldDescriptor& field, Random& random) {
  const auto& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (size > 0 && random() % 3 == 0) return reflection.RemoveLast(&message, &field);
  const int index = size > 0 ? static_cast<int>(random() % static_cast<uint64_t>(size)) : 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.AddUInt32(&message, &field, static_cast<uint32_t>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_INT64:
      if (size == 0 || random() % 4 == 0) {
        return reflection.AddInt64(&message, &field, NastyInteger(random));
      }
      return reflection.SetRepeatedInt64(&message, &field, index, NastyInteger(random));
    case FieldDescriptor::CPPTYPE_FLOAT:
      if (size == 0) return reflection.AddFloat(&message, &field, 1.0f);
      return reflection.SetRepeatedFloat(&message, &field, index,
                                         static_cast<float>(NastyNumber(random)));
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.AddEnumValue(&message, &field, static_cast<int>(NastyInteger(random)));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.AddString(&message, &field, "nonsense");
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (size == 0) {
        reflection.AddMessage(&message, &field);
        return;
      }
      return MutateMessage(*reflection.MutableRepeatedMessage(&message, &field, index), random);
    default:
      return;
  }
}

}  // namespace

void MutateMessage(Message& message, Random& random) {
  const auto& descriptor = *message.GetDescriptor();
  if (descriptor.field_count() == 0) return;
  const auto& field = *descriptor.field(
      static_cast<int>(random() % static_cast<uint64_t>(descriptor.field_count())));
  if (field.is_repeated()) {
    MutateRepeated(message, field, random);
  } else {
    MutateScalar(message, field, random);
  }
}

std::string MutateBytes(std::string bytes, Random& random) {
  for (uint64_t edits = 1 + random() % 3; edits > 0 && !bytes.empty(); --edits) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 2:
        bytes.insert(at, 1 + random() % 8, static_cast<char>(random()));
        break;
      default:
        bytes.resize(at);
        break;
    }
  }
  return bytes;
}

}  // namespace gwm::server
