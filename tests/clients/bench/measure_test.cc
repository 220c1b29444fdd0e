#include "clients/bench/measure.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace gwm::bench {
namespace {

TEST(PercentilesTest, AreTheSmallestValuesThatTheShareDoesNotExceed) {
  std::vector<double> values(1000);
  std::iota(values.rbegin(), values.rend(), 1.0);  // 1000 down to 1
  const Percentiles p = PercentilesOf(values);
  EXPECT_EQ(p.p50_ms, 500);
  EXPECT_EQ(p.p95_ms, 950);
  EXPECT_EQ(p.p99_ms, 990);
  EXPECT_EQ(p.p999_ms, 999);
  EXPECT_EQ(p.max_ms, 1000);
}

TEST(PercentilesTest, OfOneValueAreThatValue) {
  std::vector<double> one = {7};
  EXPECT_EQ(PercentilesOf(one).p50_ms, 7);
  EXPECT_EQ(PercentilesOf(one).p999_ms, 7);
}

TEST(PercentilesTest, OfNothingAreZero) {
  std::vector<double> none;
  EXPECT_EQ(PercentilesOf(none).max_ms, 0);
}

TEST(MeasureTest, OnlyWhatHappensBetweenOpenAndCloseCounts) {
  Measure measure;
  measure.Add({.ok = true, .ms = 1});
  measure.Open();
  measure.Add({.ok = true, .ms = 5, .device_ms = 3});
  measure.Close();
  measure.Add({.ok = true, .ms = 9});
  const auto report = measure.Report();
  EXPECT_EQ(report["calls"], 1);
  EXPECT_EQ(report["latency"]["max_ms"], 5);
  EXPECT_EQ(report["added"]["max_ms"], 2);
}

TEST(MeasureTest, RefusedAndLateCallsMissTheirDeadline) {
  Measure measure;
  measure.Open();
  measure.Add({.ok = true, .ms = 1});
  measure.Add({.ok = true, .ms = 90, .in_time = false});
  measure.Add({.error = "RESOURCE_EXHAUSTED/OVERLOADED"});
  measure.Add({.error = "RESOURCE_EXHAUSTED/OVERLOADED"});
  measure.Close();
  const auto report = measure.Report();
  EXPECT_EQ(report["attainment"], 0.25);
  EXPECT_EQ(report["errors"]["RESOURCE_EXHAUSTED/OVERLOADED"], 2);
}

TEST(MeasureTest, CountsWhatManyThreadsAdd) {
  Measure measure;
  measure.Open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&measure] {
      for (int i = 0; i < 1000; ++i) measure.Add({.ok = true, .ms = 1, .env_steps = 2});
    });
  }
  for (std::thread& thread : threads) thread.join();
  measure.Close();
  const auto report = measure.Report();
  EXPECT_EQ(report["calls"], 4000);
  EXPECT_NEAR(report["env_steps_per_s"].get<double>() * report["seconds"].get<double>(), 8000, 1);
}

}  // namespace
}  // namespace gwm::bench
