// Where a call's time went, as the wire says it.
#ifndef GWM_SERVER_CONVERT_LATENCY_H_
#define GWM_SERVER_CONVERT_LATENCY_H_

#include "gwm/v1/step.pb.h"
#include "server/base/latency.h"

namespace gwm::server {

// The stages and the total; leaves the other fields.
void FillLatency(const CallLatency& latency, v1::StepTiming& out);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_LATENCY_H_
