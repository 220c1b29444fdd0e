#include "engine/io/progress.h"

#include "tests/engine/io/test_support.h"

namespace gwm::io {
namespace {

// What was printed into a stream in memory, and a clock that a test moves.
class Terminal {
 public:
  Terminal() : file_(open_memstream(&text_, &size_)) {}
  ~Terminal() {
    std::fclose(file_);
    std::free(text_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  ProgressOptions Options(bool is_terminal, int64_t total) {
    return {.label = "train",
            .total = total,
            .out = file_,
            .now_s = [this] { return now_s; },
            .is_terminal = [is_terminal](std::FILE*) { return is_terminal; },
            .columns = 100};
  }
  std::string text() const {
    std::fflush(file_);
    return {text_, size_};
  }
  double now_s = 1000;

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(ProgressTest, ShowsShareRateAndTimeLeftOnATerminal) {
  Terminal terminal;
  Progress progress(terminal.Options(true, 200));
  terminal.now_s += 10;
  progress.Update(50, "loss 0.5");
  EXPECT_EQ(terminal.text(),
            "\rtrain  25% [#####>                  ] 50/200 0:10<0:30 5/s loss 0.5\x1b[K");
}

TEST(ProgressTest, PrintsAtMostTenTimesASecondOnATerminal) {
  Terminal terminal;
  Progress progress(terminal.Options(true, 1000));
  for (int i = 1; i <= 1000; ++i) {
    terminal.now_s += 0.001;
    progress.Update(i);
  }
  const std::string text = terminal.text();
  EXPECT_THAT(std::count(text.begin(), text.end(), '\r'),
              ::testing::AllOf(::testing::Ge(9), ::testing::Le(11)));
}

TEST(ProgressTest, PrintsPlainLinesAtTheIntervalIntoAPipe) {
  Terminal terminal;
  Progress progress(terminal.Options(false, 100));
  for (int i = 1; i <= 50; ++i) {
    terminal.now_s += 1;
    progress.Update(i);
  }
  const std::string text = terminal.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_THAT(text, ::testing::HasSubstr("train  11% 11/100 0:11<1:29 1/s\n"));
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(ProgressTest, EndsTheLineOnce) {
  Terminal terminal;
  {
    Progress progress(terminal.Options(true, 4));
    terminal.now_s += 2;
    progress.Update(4);
    progress.Finish("done");
    progress.Update(9);
  }
  const std::string text = terminal.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text,
              ::testing::EndsWith("100% [########################] 4/4 0:02 2/s done\x1b[K\n"));
}

TEST(ProgressTest, EndsTheLineWhenItIsDestroyed) {
  Terminal terminal;
  { Progress progress(terminal.Options(false, 0)); }
  EXPECT_EQ(terminal.text(), "train 0 0:00 ?/s\n");
}

TEST(ProgressTest, CountsWithoutATotal) {
  Terminal terminal;
  Progress progress(terminal.Options(false, 0));
  terminal.now_s += 100;
  progress.Update(25);
  EXPECT_EQ(terminal.text(), "train 25 1:40 4.00 s each\n");
}

TEST(ProgressTest, LeavesWorkOfAnEarlierRunOutOfTheRate) {
  Terminal terminal;
  ProgressOptions options = terminal.Options(false, 1000);
  options.initial = 900;
  Progress progress(options);
  terminal.now_s += 10;
  progress.Update(950);
  EXPECT_EQ(terminal.text(), "train  95% 950/1000 0:10<0:10 5/s\n");
}

TEST(ProgressTest, CutsTheLineToTheTerminal) {
  Terminal terminal;
  ProgressOptions options = terminal.Options(true, 10);
  options.columns = 20;
  Progress progress(options);
  terminal.now_s += 1;
  progress.Update(5, "a long note that does not fit");
  EXPECT_EQ(terminal.text().size(), 1u + 19 + 3);
}

TEST(ProgressTest, SurvivesMoreThanTheTotal) {
  Terminal terminal;
  Progress progress(terminal.Options(false, 10));
  terminal.now_s += 1;
  progress.Update(15);
  EXPECT_EQ(terminal.text(), "train 100% 15/10 0:01<? 15/s\n");
}

TEST(FormatTest, FormatsCountsAndTimes) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(12.34), "12.3");
  EXPECT_EQ(FormatCount(999.9), "1.00k");
  EXPECT_EQ(FormatCount(15'300), "15.3k");
  EXPECT_EQ(FormatCount(2.5e9), "2.50G");
  EXPECT_EQ(FormatSeconds(7), "0:07");
  EXPECT_EQ(FormatSeconds(3723), "1:02:03");
  EXPECT_EQ(FormatSeconds(-1), "?");
  EXPECT_EQ(FormatSeconds(1e300), "?");
}

}  // namespace
}  // namespace gwm::io
