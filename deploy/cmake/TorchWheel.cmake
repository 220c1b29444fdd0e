# Imported targets for the LibTorch inside the pinned torch wheel: torch (libtorch, libtorch_cpu, libc10) and, when the
# wheel has them, torch_cuda. Torch's own CMake config insists on a CUDA toolkit layout, so it is not used.
set(GWM_TORCH_ROOT "$ENV{GWM_TORCH_ROOT}" CACHE PATH "Folder with include/ and lib/ of LibTorch; empty: the pinned wheel")
if(NOT GWM_TORCH_ROOT)
  file(GLOB candidates "${CMAKE_SOURCE_DIR}/build/python/lib/python3.*/site-packages/torch")
  list(POP_FRONT candidates first)
  set(GWM_TORCH_ROOT "${first}" CACHE PATH "" FORCE)
endif()
if(NOT EXISTS "${GWM_TORCH_ROOT}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found in '${GWM_TORCH_ROOT}'. Run deploy/setup.sh, or set GWM_TORCH_ROOT.")
endif()
message(STATUS "LibTorch: ${GWM_TORCH_ROOT}")

foreach(lib torch torch_cpu c10)
  add_library(torchlib::${lib} SHARED IMPORTED)
  set_target_properties(torchlib::${lib} PROPERTIES IMPORTED_LOCATION "${GWM_TORCH_ROOT}/lib/lib${lib}.so")
endforeach()
add_library(torch INTERFACE)
target_include_directories(torch SYSTEM INTERFACE
  "${GWM_TORCH_ROOT}/include" "${GWM_TORCH_ROOT}/include/torch/csrc/api/include")
# Libraries of the wheel are loaded through each other's RUNPATH; the linker needs to be told where to look.
target_link_options(torch INTERFACE "-Wl,-rpath,${GWM_TORCH_ROOT}/lib" "-Wl,-rpath-link,${GWM_TORCH_ROOT}/lib"
  "-Wl,--allow-shlib-undefined")
# libtorch_cpu exports its own copies of parts of libstdc++ (std::filesystem among them) that do not fit ours: a program must
# find the real ones first, so libstdc++ comes first in its list of needed libraries.
target_link_options(torch INTERFACE "SHELL:-Wl,--push-state,--no-as-needed -lstdc++ -Wl,--pop-state")
option(GWM_TORCH_CUDA "Load LibTorch's CUDA back end where it has one (OFF: programs without it, for small images)" ON)
# libtorch.so holds nothing but the need for the CUDA back end.
target_link_libraries(torch INTERFACE $<$<BOOL:${GWM_TORCH_CUDA}>:torchlib::torch> torchlib::torch_cpu torchlib::c10)
set(GWM_HAVE_TORCH_CUDA OFF)
if(GWM_TORCH_CUDA AND EXISTS "${GWM_TORCH_ROOT}/lib/libtorch_cuda.so")
  foreach(lib torch_cuda c10_cuda)
    add_library(torchlib::${lib} SHARED IMPORTED)
    set_target_properties(torchlib::${lib} PROPERTIES IMPORTED_LOCATION "${GWM_TORCH_ROOT}/lib/lib${lib}.so")
  endforeach()
  add_library(torch_cuda INTERFACE)
  # Nothing of ours names a symbol of libtorch_cuda, yet loading it registers the CUDA back end.
  target_link_libraries(torch_cuda INTERFACE torch
    -Wl,--no-as-needed torchlib::torch_cuda torchlib::c10_cuda -Wl,--as-needed)
  set(GWM_HAVE_TORCH_CUDA ON)
endif()

# One precompiled <torch/torch.h> for the whole tree: link gwm_torch and call gwm_use_torch_pch(target). Targets that link
# gRPC as well say gwm_use_torch_pch(target WIRE): gRPC compiles with -pthread, and the precompiled header accepts the flags
# that it was made with only.
file(WRITE "${CMAKE_BINARY_DIR}/torch_pch.cc" "// Holds the precompiled Torch header.\n")
add_library(gwm_torch INTERFACE)
target_link_libraries(gwm_torch INTERFACE gwm_options torch)
function(gwm_torch_pch name)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/torch_pch.cc")
  target_link_libraries(${name} PRIVATE gwm_torch)
  target_compile_options(${name} PRIVATE ${ARGN})
  target_precompile_headers(${name} PRIVATE <torch/torch.h>)
endfunction()
gwm_torch_pch(gwm_torch_pch)
gwm_torch_pch(gwm_torch_wire_pch -pthread)
function(gwm_use_torch_pch target)
  # Programs are compiled with -fPIE by default.
  target_compile_options(${target} PRIVATE -fPIC)
  if("WIRE" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM gwm_torch_wire_pch)
  else()
    target_precompile_headers(${target} REUSE_FROM gwm_torch_pch)
  endif()
endfunction()
