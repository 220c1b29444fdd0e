#include "clients/policies/policy_config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gwm::policies {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "gwm-policy-1";

template <typename Enum>
using Names = std::vector<std::pair<Enum, const char*>>;

const Names<HeadKind>& NamesOf(HeadKind) {
  static const Names<HeadKind> names = {{HeadKind::kMse, "mse"},
                                        {HeadKind::kGmm, "gmm"},
                                        {HeadKind::kDiffusion, "diffusion"},
                                        {HeadKind::kFlow, "flow"}};
  return names;
}
const Names<DenoiserKind>& NamesOf(DenoiserKind) {
  static const Names<DenoiserKind> names = {{DenoiserKind::kUnet, "unet"},
                                            {DenoiserKind::kTransformer, "transformer"}};
  return names;
}
const Names<NormalizerKind>& NamesOf(NormalizerKind) {
  static const Names<NormalizerKind> names = {{NormalizerKind::kIdentity, "identity"},
                                              {NormalizerKind::kMinMax, "min_max"},
                                              {NormalizerKind::kMeanStd, "mean_std"}};
  return names;
}
const Names<Prediction>& NamesOf(Prediction) {
  static const Names<Prediction> names = {{Prediction::kEpsilon, "epsilon"},
                                          {Prediction::kVelocity, "velocity"}};
  return names;
}
const Names<DiffusionSampler>& NamesOf(DiffusionSampler) {
  static const Names<DiffusionSampler> names = {{DiffusionSampler::kDdpm, "ddpm"},
                                                {DiffusionSampler::kDdim, "ddim"}};
  return names;
}

template <typename Enum>
absl::StatusOr<Enum> ParseEnum(std::string_view field, std::string_view text) {
  std::string allowed;
  for (const auto& [value, name] : NamesOf(Enum{})) {
    if (text == name) return value;
    absl::StrAppend(&allowed, allowed.empty() ? "" : ", ", name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(field), " is '", std::string(text), "', allowed are ", allowed));
}

// One visitor names the fields once, for reading, writing and the rejection of unknown names.
struct Writer {
  Json json = Json::object();

  template <typename T>
  void operator()(const char* name, const T& value) {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [known, text] : NamesOf(T{})) {
        if (known == value) json[name] = text;
      }
    } else {
      json[name] = value;
    }
  }
  template <typename Group>
  void Nested(const char* name, Group& group) {
    Writer inner;
    VisitFields(group, inner);
    json[name] = std::move(inner.json);
  }
};

struct Reader {
  const Json& json;
  std::string path = {};
  absl::Status status = {};
  std::vector<std::string> known = {};

  template <typename T>
  void operator()(const char* name, T& value) {
    known.emplace_back(name);
    if (!status.ok() || !json.contains(name)) return;
    const std::string field = path + name;
    const Json& given = json.at(name);
    if constexpr (std::is_enum_v<T>) {
      const absl::StatusOr<T> parsed = ParseEnum<T>(
          "config: " + field, given.is_string() ? given.get<std::string>() : given.dump());
      if (parsed.ok()) value = *parsed;
      status = parsed.status();
    } else if (Fits<T>(given)) {
      value = given.get<T>();
    } else {
      status = absl::InvalidArgumentError(
          absl::StrCat("config: ", field, " has the wrong type: ", given.dump()));
    }
  }
  template <typename Group>
  void Nested(const char* name, Group& group) {
    known.emplace_back(name);
    if (!status.ok() || !json.contains(name)) return;
    if (!json.at(name).is_object()) {
      status = absl::InvalidArgumentError(absl::StrCat("config: ", path, name, " is no object"));
      return;
    }
    Reader inner{json.at(name), absl::StrCat(path, name, ".")};
    VisitFields(group, inner);
    status = inner.Close();
  }
  absl::Status Close() const {
    if (!status.ok()) return status;
    for (const auto& [name, unused] : json.items()) {
      bool is_known = false;
      for (const std::string& field : known) is_known |= field == name;
      if (!is_known) return absl::InvalidArgumentError("config: unknown field " + path + name);
    }
    return absl::OkStatus();
  }

 private:
  // JSON has one kind of number: 1.5 must not become the integer 1, nor -1 an unsigned one.
  template <typename T>
  static bool Fits(const Json& value) {
    if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
      bool fits = value.is_array();
      for (const Json& entry : value) fits &= Fits<int64_t>(entry);
      return fits;
    } else if constexpr (std::is_same_v<T, bool>) {
      return value.is_boolean();
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      return value.is_number_unsigned();
    } else if constexpr (std::is_same_v<T, int64_t>) {
      return value.is_number_integer() &&
             (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX});
    } else if constexpr (std::is_same_v<T, double>) {
      return value.is_number();
    } else {
      return value.is_string();
    }
  }
};

template <typename Visitor>
void VisitFields(ChunkSpec& o, Visitor& field) {
  field("observation_steps", o.observation_steps);
  field("observation_dim", o.observation_dim);
  field("horizon", o.horizon);
  field("action_dim", o.action_dim);
  field("current_action", o.current_action);
}
template <typename Visitor>
void VisitFields(MlpOptions& o, Visitor& field) {
  field("width", o.width);
  field("layers", o.layers);
}
template <typename Visitor>
void VisitFields(GmmOptions& o, Visitor& field) {
  field("modes", o.modes);
  field("layers", o.layers);
  field("heads", o.heads);
  field("width", o.width);
  field("least_std", o.least_std);
  field("low_noise", o.low_noise);
}
template <typename Visitor>
void VisitFields(UnetOptions& o, Visitor& field) {
  field("widths", o.widths);
  field("kernel", o.kernel);
  field("groups", o.groups);
  field("time_width", o.time_width);
  field("predict_scale", o.predict_scale);
}
template <typename Visitor>
void VisitFields(TransformerOptions& o, Visitor& field) {
  field("layers", o.layers);
  field("heads", o.heads);
  field("width", o.width);
  field("causal", o.causal);
}
template <typename Visitor>
void VisitFields(DiffusionOptions& o, Visitor& field) {
  field("training_steps", o.training_steps);
  field("sampling_steps", o.sampling_steps);
  field("sampler", o.sampler);
  field("eta", o.eta);
  field("prediction", o.prediction);
  field("clip_sample", o.clip_sample);
}
template <typename Visitor>
void VisitFields(FlowOptions& o, Visitor& field) {
  field("sampling_steps", o.sampling_steps);
  field("time_scale", o.time_scale);
}

// The head and the denoiser come first: they say which groups there are.
template <typename Visitor>
void VisitConfig(PolicyConfig& config, Visitor& field) {
  std::string format = kFormat;
  field("format", format);
  field("head", config.head);
  const bool denoises = config.head == HeadKind::kDiffusion || config.head == HeadKind::kFlow;
  if (denoises) field("denoiser", config.denoiser);
  field.Nested("spec", config.spec);
  field("observation_normalizer", config.observation_normalizer);
  field("action_normalizer", config.action_normalizer);
  field("seed", config.seed);
  if (config.head == HeadKind::kMse) field.Nested("mlp", config.mlp);
  if (config.head == HeadKind::kGmm) field.Nested("gmm", config.gmm);
  if (config.head == HeadKind::kDiffusion) field.Nested("diffusion", config.diffusion);
  if (config.head == HeadKind::kFlow) field.Nested("flow", config.flow);
  if (!denoises) return;
  if (config.denoiser == DenoiserKind::kUnet) field.Nested("unet", config.unet);
  if (config.denoiser == DenoiserKind::kTransformer) {
    field.Nested("transformer", config.transformer);
  }
}

}  // namespace

absl::StatusOr<HeadKind> ParseHeadKind(std::string_view text) {
  return ParseEnum<HeadKind>("head", text);
}

std::string WriteConfig(const PolicyConfig& config) {
  Writer writer;
  PolicyConfig copy = config;
  VisitConfig(copy, writer);
  return writer.json.dump(2) + "\n";
}

absl::StatusOr<PolicyConfig> ReadConfig(std::string_view json) {
  const Json parsed = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return absl::InvalidArgumentError("config: not a JSON object");
  if (!parsed.contains("format") || parsed.at("format") != kFormat) {
    return absl::InvalidArgumentError(absl::StrCat("config: format is not ", kFormat));
  }
  PolicyConfig config;
  Reader reader{parsed};
  VisitConfig(config, reader);
  absl::Status status = reader.Close();
  if (status.ok()) status = CheckConfig(config);
  if (!status.ok()) return status;
  return config;
}

}  // namespace gwm::policies
