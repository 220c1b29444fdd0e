// What the server offers, in the words of the protocol.
#ifndef GWM_SERVER_CONVERT_SPEC_H_
#define GWM_SERVER_CONVERT_SPEC_H_

#include <span>
#include <string_view>

#include "engine/api/world.h"
#include "gwm/v1/simulator.pb.h"

namespace gwm::server {

// The RPCs that are answered: "Simulator.Step", ...
std::span<const std::string_view> AnsweredRpcs();

// `episodes`: whether Reset can start from episode files.
v1::SimulatorSpec ToProto(const WorldSpec& spec, bool episodes);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_SPEC_H_
