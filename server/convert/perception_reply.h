// Results of Encode and Features in wire form. Tensors are moved, not copied.
#ifndef GWM_SERVER_CONVERT_PERCEPTION_REPLY_H_
#define GWM_SERVER_CONVERT_PERCEPTION_REPLY_H_

#include <string>

#include "engine/api/world.h"
#include "gwm/v1/perception.pb.h"
#include "server/work/perception_work.h"

namespace gwm::server {

// FeaturesReply.cache_key.
std::string FeatureCacheKey(const WorldSpec& spec, FeaturePooling pooling, DType dtype);

void FillEncode(EncodeResult result, const WorldSpec& spec, v1::EncodeReply& out);
void FillFeatures(FeatureResult result, const WorldSpec& spec, FeaturePooling pooling,
                  v1::FeaturesReply& out);

}  // namespace gwm::server

#endif  // GWM_SERVER_CONVERT_PERCEPTION_REPLY_H_
