// The CUDA entry points of a build without nvcc: callers link the same way everywhere and fall back
// on the answer.
#include "kernels/edm_step.h"
#include "kernels/fps.h"
#include "kernels/head_norm_rope.h"
#include "kernels/nearest.h"
#include "kernels/noise.h"
#include "kernels/norm_modulate.h"
#include "kernels/pack_u8.h"
#include "kernels/project.h"
#include "kernels/raster_cuda.h"
#include "kernels/rope.h"
#include "kernels/slots.h"

namespace gwm::kernels {

KernelStatus FarthestPointSampleCuda(const FpsArgs&, float*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus NearestNeighboursCuda(const NearestArgs&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus NearestBackwardCuda(const NearestBackwardArgs&, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus NormalNoiseCuda(const NoiseStream*, int64_t, uint64_t, int64_t, float*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus UniformNoiseCuda(const NoiseStream*, int64_t, uint64_t, int64_t, float*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus LinearCombineCuda(const float*, float, const float*, float, int64_t, float*,
                               GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus EulerStepCuda(const float*, const float*, double, double, int64_t, float*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus HeunStepCuda(const float*, const float*, const float*, const float*, double, double,
                          int64_t, float*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus NormModulateCuda(const NormModulateArgs&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus HeadNormRopeCuda(const HeadNormRopeArgs&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus PackU8Cuda(const PackU8Args&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus ProjectGaussiansCuda(const GaussianInputs&, const CameraInputs&, const RenderOptions&,
                                  const Splats&, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus ProjectGaussiansBackwardCuda(const GaussianInputs&, const CameraInputs&,
                                          const RenderOptions&, const Splats&, const SplatGrads&,
                                          const GaussianGrads&, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus RasterForwardCuda(const RasterArgs&, const RasterCudaState&, const RasterOutputs&,
                               GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus RasterBackwardCuda(const RasterArgs&, const RasterCudaState&, const RasterOutputGrads&,
                                float*, const RasterSplatGrads&, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus RopeTableCuda(const RopeTableArgs&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus RopeApplyCuda(const RopeApplyArgs&, GpuStream) { return KernelStatus::kNoCuda; }
KernelStatus GatherSlotsCuda(const SlotArgs&, const void*, void*, GpuStream) {
  return KernelStatus::kNoCuda;
}
KernelStatus ScatterSlotsCuda(const SlotArgs&, const void*, void*, GpuStream) {
  return KernelStatus::kNoCuda;
}

}  // namespace gwm::kernels
