#include "server/work/images.h"

#include <utility>

#include "absl/status/status.h"
#include "server/base/status.h"
#include "server/work/stack.h"

namespace gwm::server {
namespace {

// [n, C, ...] of one member of the views; null views give zeros.
absl::StatusOr<HostTensor> StackMember(const std::vector<const RenderedView*>& views,
                                       HostTensor RenderedView::*member, int64_t rows,
                                       int64_t cameras) {
  std::vector<const HostTensor*> tensors;
  tensors.reserve(views.size());
  for (const RenderedView* view : views) {
    tensors.push_back(view == nullptr ? nullptr : &(view->*member));
  }
  ASSIGN_OR_RETURN(HostTensor stacked, StackRows(tensors));
  return SplitLeading(std::move(stacked), rows, cameras);
}

absl::Status StackViews(const std::vector<const RenderedView*>& views, uint32_t outputs, int64_t n,
                        int64_t c, Images& images) {
  if (outputs & kRenderRgb) {
    ASSIGN_OR_RETURN(images.rgb, StackMember(views, &RenderedView::rgb, n, c));
  }
  if (outputs & kRenderDepth) {
    ASSIGN_OR_RETURN(images.depth, StackMember(views, &RenderedView::depth, n, c));
  }
  if (outputs & kRenderAlpha) {
    ASSIGN_OR_RETURN(images.alpha, StackMember(views, &RenderedView::alpha, n, c));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Images> RenderImages(World& world, const std::vector<Viewed>& rows,
                                    const ImageOptions& options) {
  Images images;
  if (options.outputs != 0) {
    std::vector<RenderRequest> requests;
    for (const Viewed& row : rows) {
      if (row.state == nullptr) continue;
      for (const Camera& camera : row.cameras) requests.push_back({row.state, camera});
    }
    ASSIGN_OR_RETURN(auto rendered, world.Render(requests, {options.outputs, options.rgb_dtype}));
    if (rendered.size() != requests.size()) return absl::InternalError("images are missing");
    std::vector<const RenderedView*> views;
    auto next = rendered.cbegin();
    for (const Viewed& row : rows) {
      for (size_t i = 0; i < row.cameras.size(); ++i) {
        views.push_back(row.state == nullptr ? nullptr : &*next++);
      }
    }
    RETURN_IF_ERROR(StackViews(views, options.outputs, static_cast<int64_t>(rows.size()),
                               static_cast<int64_t>(rows.front().cameras.size()), images));
  }
  if (options.gaussians) {
    for (const Viewed& row : rows) {
      ASSIGN_OR_RETURN(images.gaussians.emplace_back(), world.Gaussians(row.state));
    }
  }
  return images;
}

}  // namespace gwm::server
