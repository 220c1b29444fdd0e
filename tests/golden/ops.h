// The kinds of case that this program can check, by group. Each adapter calls the product's own
// functions.
#ifndef GWM_TESTS_GOLDEN_OPS_H_
#define GWM_TESTS_GOLDEN_OPS_H_

#include <string>
#include <vector>

#include "tests/golden/case.h"

namespace gwm::golden {

struct Op {
  std::string name;
  void (*run)(Case& golden);  // may throw: the message becomes the reason of a FAIL
};

std::vector<Op> DitOps();        // dit_released dit_embeddings param_counts
std::vector<Op> DiffusionOps();  // denoiser_released denoiser_loss_released sampler_released
std::vector<Op> EncoderOps();    // vae_released vae_3dshape2vecset reward_released
std::vector<Op> PointOps();      // fps chamfer rotations
std::vector<Op> RenderOps();     // gaussian_ops rasterise
std::vector<Op> LayerOps();      // norms rope edm_conditioners
std::vector<Op> FileOps();       // ply image_metrics
// assignment_schedules bc_diffusion_schedules conditional_unet1d transformer_for_diffusion
std::vector<Op> PolicyOps();
std::vector<Op> RlOps();  // drq_encoder drq_actor_critic drq_random_shift returns tdmpc2_math

}  // namespace gwm::golden

#endif  // GWM_TESTS_GOLDEN_OPS_H_
