// Families of metrics, in one line each.
#ifndef GWM_SERVER_OBSERVE_FAMILIES_H_
#define GWM_SERVER_OBSERVE_FAMILIES_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace gwm::server {

// Of times between half a millisecond and half a minute.
inline const prometheus::Histogram::BucketBoundaries kSecondsBounds = {
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4, 8, 15, 30};

inline auto& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
inline auto& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
inline auto& Histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace gwm::server

#endif  // GWM_SERVER_OBSERVE_FAMILIES_H_
