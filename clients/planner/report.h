// What a run of episodes comes to, as JSON and as a line for people.
#ifndef GWM_CLIENTS_PLANNER_REPORT_H_
#define GWM_CLIENTS_PLANNER_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "clients/planner/control.h"

namespace gwm::planner {

struct Score {
  double return_mean = 0;
  double return_std = 0;  // of single episodes; 0 for one
  double success_rate = 0;
  std::pair<double, double> success_interval;  // Wilson, 95 %
};

// Requires at least one episode.
Score ScoreOf(const std::vector<Episode>& episodes);
// "return 812.4 (std 90.1), success 7/10 [40 %, 89 %]".
std::string Line(const std::vector<Episode>& episodes);
nlohmann::json ToJson(const std::vector<Episode>& episodes);

}  // namespace gwm::planner

#endif  // GWM_CLIENTS_PLANNER_REPORT_H_
