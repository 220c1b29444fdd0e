// Figures that depend on the order of values alone.
#ifndef GWM_ENGINE_TRAIN_RANK_STATISTICS_H_
#define GWM_ENGINE_TRAIN_RANK_STATISTICS_H_

#include <vector>

namespace gwm {

// Area under the ROC curve by ranks, ties counted half; not-a-number unless both classes occur.
double RocAuc(const std::vector<float>& scores, const std::vector<bool>& positive);

// Spearman's rank correlation in [-1, 1], ties at their mean rank; not-a-number when one of the two
// is constant or shorter than two. Of equal length.
double RankCorrelation(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace gwm

#endif  // GWM_ENGINE_TRAIN_RANK_STATISTICS_H_
