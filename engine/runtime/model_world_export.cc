// ModelWorld::ExportState and ImportState: a slot's row and the frame that its episode started
// from.
#include "absl/strings/str_cat.h"
#include "engine/base/catch_torch.h"
#include "engine/base/status.h"
#include "engine/base/tensor_convert.h"
#include "engine/runtime/model_world.h"
#include "engine/runtime/reset_frames.h"
#include "engine/runtime/start_frame.h"

namespace gwm {
namespace {

// Of exported states: the name of the slot's row, and how far its token centres may be from the
// anchors of its frame, metres.
constexpr char kRowName[] = "row";
constexpr float kCentreTolerance = 1e-3F;

}  // namespace

absl::StatusOr<StateTensors> ModelWorld::ExportState(const StatePtr& state) {
  if (state == nullptr) return absl::InvalidArgumentError("export: no state");
  return CatchTorch("ExportState", [&]() -> absl::StatusOr<StateTensors> {
    const auto& own = AsModelState(state);
    StateTensors tensors;
    tensors[kRowName] = ToHost(pool_->slab()[own.slot->index()]);
    own.episode->start.AddTo(tensors);
    return tensors;
  });
}

absl::StatusOr<StatePtr> ModelWorld::ImportState(const StateTensors& tensors) {
  return CatchTorch("ImportState", [&]() -> absl::StatusOr<StatePtr> {
    GWM_ASSIGN_OR_RETURN(auto start, StartFrame::From(tensors));
    const auto row = tensors.find(kRowName);
    if (row == tensors.end() || tensors.size() != 5) {
      return absl::InvalidArgumentError(
          "state: the tensors row, rgb, depth_mm, intrinsics and world_from_cam are expected");
    }
    if (row->second.dtype != DType::kF32 ||
        row->second.shape != std::vector<int64_t>{layout_.floats()}) {
      return absl::InvalidArgumentError(absl::StrCat("state: row is ", DescribeTensor(row->second),
                                                     ", expected f32 [", layout_.floats(), "]"));
    }
    auto values = ToTorch(row->second, model_->device());
    if (!torch::isfinite(values).all().item<bool>()) {
      return absl::InvalidArgumentError("state: row holds a number that is not finite");
    }
    return ImportRow(values, std::move(start));
  });
}

absl::StatusOr<StatePtr> ModelWorld::ImportRow(const torch::Tensor& row, StartFrame start) {
  torch::NoGradGuard no_grad;
  GWM_ASSIGN_OR_RETURN(auto real, ReadResetFrames(start.view(), model_->config));
  if (real.scenes.size() != 1) {
    return absl::InvalidArgumentError("state: more than one frame to start from");
  }
  const auto scene = SceneTo(real.scenes[0], model_->device());
  auto episode =
      std::make_shared<Episode>(Episode{std::move(start), model_->tokenizer->ChooseAnchors(scene)});
  // The tokens of the row are those of the anchors, or decoding would move them.
  const auto centres = layout_.Unpack(row.unsqueeze(0)).centres;
  if ((centres - episode->anchors.centres).abs().max().item<float>() > kCentreTolerance) {
    return absl::FailedPreconditionError(
        "state: made by another build or on another device; the frame has other anchors here");
  }
  return Store(row, std::move(episode));
}

}  // namespace gwm
