// Plain types to protobuf and back. Replies are checked: a malformed tensor in one throws
// Error(kInternal).
#ifndef GWM_CLIENTS_CPP_SRC_CONVERT_H_
#define GWM_CLIENTS_CPP_SRC_CONVERT_H_

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"
#include "google/protobuf/repeated_field.h"
#include "gwm/types.h"
#include "gwm/v1/models.pb.h"
#include "gwm/v1/scene.pb.h"
#include "gwm/v1/server.pb.h"
#include "gwm/v1/simulator.pb.h"
#include "gwm/v1/tensor.pb.h"

namespace gwm::client::internal {

v1::Tensor ToProto(const Tensor& tensor);
v1::Camera ToProto(const Camera& camera);
v1::RgbdFrames ToProto(const Frames& frames);
google::protobuf::Duration ToProto(std::chrono::milliseconds duration);
v1::RenderOutput ToProto(RenderOutput output);
v1::SamplerKind ToProto(Sampler sampler);
v1::StateRef ToProto(const StateRef& state);
StateRef FromProto(const v1::StateRef& state);

// Moves the bytes out of `tensor`.
Tensor FromProto(v1::Tensor* tensor);
std::map<std::string, Tensor> FromProto(google::protobuf::Map<std::string, v1::Tensor>* tensors);
// Of an absent tensor: empty. Throws Error(kInvalidArgument) unless it is f32.
std::vector<float> FloatsFromProto(v1::Tensor* tensor);
Images FromProto(v1::RenderedImages* images);
GaussianCloud FromProto(v1::GaussianCloud* cloud);
Field FromProto(const v1::FieldSpec& field);
StepTiming FromProto(const v1::StepTiming& timing);
std::vector<RowStatus> FromProto(const google::protobuf::RepeatedPtrField<v1::RowStatus>& rows);
Spec FromProto(const v1::SimulatorSpec& spec);
Model FromProto(const v1::Model& model);
WarmUpTimes FromProto(const v1::WarmUpReply& times);
ServerInfo FromProto(const v1::ServerInfo& info);
Limits FromProto(const v1::Limits& limits);
ResetResult FromProto(v1::ResetReply* reply);
StepResult FromProto(v1::StepReply* reply);
PlanResult FromProto(v1::PlanReply* reply);
ObserveResult FromProto(v1::ObserveReply* reply);
ImagineChunk FromProto(v1::ImagineChunk* chunk);

template <typename T, typename Repeated>
std::vector<T> ToVector(const Repeated& repeated) {
  return std::vector<T>(repeated.begin(), repeated.end());
}
template <typename T, typename Repeated>
void Assign(const std::vector<T>& values, Repeated* repeated) {
  for (const T& value : values) *repeated->Add() = value;
}

}  // namespace gwm::client::internal

#endif  // GWM_CLIENTS_CPP_SRC_CONVERT_H_
