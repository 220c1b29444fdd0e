// Images in replies, counted for the metrics.
#ifndef GWM_SERVER_RPC_IMAGE_COUNT_H_
#define GWM_SERVER_RPC_IMAGE_COUNT_H_

#include "server/observe/metrics.h"
#include "server/work/images.h"
#include "server/work/observe.h"

namespace gwm::server {

// One image per camera and row, whatever its outputs.
void CountImages(const Images& images, Metrics& metrics);
void CountImages(const Observations& observations, Metrics& metrics);

}  // namespace gwm::server

#endif  // GWM_SERVER_RPC_IMAGE_COUNT_H_
