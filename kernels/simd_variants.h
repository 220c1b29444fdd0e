// Compiles one body of code once per instruction set: define GWM_SIMD_BODY as the quoted name of an
// .inc file and include this header. The body puts its functions into namespace GWM_SIMD_NAMESPACE;
// GWM_SIMD_CALL picks one at run time.
//
// The body uses GCC's vector types (vec16.inc), which every level lowers to its own registers, and
// this folder compiles without FMA contraction: all levels give the same bits. Functions that are
// always inlined but defined outside the body may be called; vector types may not cross its border.
// (No include guard: one use per kernel.)
#include <cstdint>

#include "kernels/exp_negative.h"
#include "kernels/simd.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef GWM_SIMD_CALL
#define GWM_SIMD_CALL(level, function)                                   \
  ((level) == ::gwm::kernels::SimdLevel::kAvx512 ? simd_avx512::function \
   : (level) == ::gwm::kernels::SimdLevel::kAvx2 ? simd_avx2::function   \
                                                 : simd_scalar::function)
#endif

#define GWM_SIMD_NAMESPACE simd_scalar
#define GWM_SIMD_LEVEL 0
#include GWM_SIMD_BODY
#undef GWM_SIMD_NAMESPACE
#undef GWM_SIMD_LEVEL

#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx2")
#define GWM_SIMD_NAMESPACE simd_avx2
#define GWM_SIMD_LEVEL 1
#include GWM_SIMD_BODY
#undef GWM_SIMD_NAMESPACE
#undef GWM_SIMD_LEVEL
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#define GWM_SIMD_NAMESPACE simd_avx512
#define GWM_SIMD_LEVEL 2
#include GWM_SIMD_BODY
#undef GWM_SIMD_NAMESPACE
#undef GWM_SIMD_LEVEL
#pragma GCC pop_options
#else
// Other compilers and processors run the baseline code at every level.
namespace gwm::kernels {
namespace {
namespace simd_avx2 = simd_scalar;
namespace simd_avx512 = simd_scalar;
}  // namespace
}  // namespace gwm::kernels
#endif
#undef GWM_SIMD_BODY
