// Structs as JSON objects: one visitor names the fields once, and reading, writing and the
// rejection of unknown names use it.
//
//   template <typename Visitor> void Visit(Options& o, Visitor&& field) { field("steps", o.steps);
//   }
#ifndef GWM_ENGINE_BASE_JSON_FIELDS_H_
#define GWM_ENGINE_BASE_JSON_FIELDS_H_

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gwm {

using OrderedJson = nlohmann::ordered_json;

struct JsonFieldWriter {
  OrderedJson& json;
  template <typename T>
  void operator()(const char* name, T& value) {
    json[name] = value;
  }
};

// Fields that are absent keep their value. `path` ("vae.") starts every name in messages.
struct JsonFieldReader {
  const OrderedJson& json;
  std::string path;
  absl::Status status;
  std::vector<std::string> known;

  template <typename T>
  void operator()(const char* name, T& value) {
    known.push_back(name);
    if (!status.ok() || !json.contains(name)) return;
    try {
      value = json.at(name).template get<T>();
    } catch (const nlohmann::json::exception&) {
      status = absl::InvalidArgumentError(
          absl::StrCat("config: ", path, name, " has the wrong type: ", json.at(name).dump()));
    }
  }

  // The first error, or InvalidArgument for a name that is neither a field nor one of `groups`.
  absl::Status Close(const std::vector<std::string>& groups) const {
    if (!status.ok()) return status;
    for (const auto& [name, unused] : json.items()) {
      const auto is = [&](const std::string& other) { return other == name; };
      if (std::none_of(known.begin(), known.end(), is) &&
          std::none_of(groups.begin(), groups.end(), is)) {
        return absl::InvalidArgumentError(absl::StrCat("config: unknown field ", path, name));
      }
    }
    return absl::OkStatus();
  }
};

// Reads the object json[name], if there is one, into `group` by its visitor.
template <typename Group, typename Visit>
absl::Status ReadJsonGroup(const OrderedJson& json, const std::string& name, Group& group,
                           Visit visit) {
  if (!json.contains(name)) return absl::OkStatus();
  if (!json.at(name).is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("config: ", name, " must be an object"));
  }
  JsonFieldReader reader{json.at(name), name + ".", {}, {}};
  visit(group, reader);
  return reader.Close({});
}

}  // namespace gwm

#endif  // GWM_ENGINE_BASE_JSON_FIELDS_H_
