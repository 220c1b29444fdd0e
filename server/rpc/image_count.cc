#include "server/rpc/image_count.h"

#include <initializer_list>

namespace gwm::server {
namespace {

// Of the first tensor [n, C, H, W, ...] that is there.
void CountFirst(std::initializer_list<const HostTensor*> tensors, Metrics& metrics) {
  for (const HostTensor* tensor : tensors) {
    if (tensor == nullptr || tensor->shape.size() < 4) continue;
    const auto images = static_cast<uint64_t>(tensor->shape[0] * tensor->shape[1]);
    metrics.Rendered(images, images * static_cast<uint64_t>(tensor->shape[2] * tensor->shape[3]));
    return;
  }
}

const HostTensor* Find(const Observations& observations, const char* name) {
  const auto found = observations.find(name);
  return found == observations.end() ? nullptr : &found->second;
}

}  // namespace

void CountImages(const Images& images, Metrics& metrics) {
  CountFirst({&images.rgb, &images.depth, &images.alpha}, metrics);
}

void CountImages(const Observations& observations, Metrics& metrics) {
  CountFirst({Find(observations, "rgb"), Find(observations, "depth")}, metrics);
}

}  // namespace gwm::server
