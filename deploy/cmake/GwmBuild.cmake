# House rules for every target: C++20, warnings are errors, hidden visibility, programs and tests in fixed folders.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# What one folder finds (absl, spdlog, ...) is known to the folders that link its library.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(GWM_TEST_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
set(GWM_SANITIZE "" CACHE STRING "Value of -fsanitize for all targets, empty for none")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_program(GWM_CCACHE ccache)
if(GWM_CCACHE)
  # The sloppiness lets ccache keep objects that use a precompiled header; the base folder lets clones share them.
  set(launcher "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1")
  list(APPEND launcher "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime" "${GWM_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

# gcc 12 reports out-of-bounds copies inside std::string that do not exist (GCC bugs 105329, 105651).
set(gcc12_false_alarms -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
add_library(gwm_options INTERFACE)
target_compile_options(gwm_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Werror;-Wno-missing-field-initializers;${gcc12_false_alarms};-fpch-preprocess>)
target_include_directories(gwm_options INTERFACE "${CMAKE_SOURCE_DIR}")
if(GWM_SANITIZE)
  target_compile_options(gwm_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${GWM_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(gwm_options INTERFACE -fsanitize=${GWM_SANITIZE})
endif()

# Programs for ThreadSanitizer bring a mutex that it can watch, in place of the one in the distribution's abseil.
set(GWM_PROGRAM_SOURCES "")
set(GWM_TEST_ENVIRONMENT "OMP_WAIT_POLICY=passive" "GOMP_SPINCOUNT=0")
if(GWM_SANITIZE MATCHES "thread")
  set(GWM_PROGRAM_SOURCES "${CMAKE_SOURCE_DIR}/tests/sanitize/visible_mutex.cc")
  list(APPEND GWM_TEST_ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/sanitize/tsan.supp")
endif()

# gwm_library(NAME [OBJECT|STATIC|SHARED] SOURCES... DEPS...): a library of ours.
function(gwm_library name kind)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} ${kind} ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC gwm_options ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
endfunction()

function(gwm_executable name)
  add_executable(${name} ${ARGN} ${GWM_PROGRAM_SOURCES})
  set_source_files_properties(${GWM_PROGRAM_SOURCES} PROPERTIES COMPILE_OPTIONS -fvisibility=default)
endfunction()

# gwm_program(NAME SOURCES... DEPS...): a program in build/<preset>/bin.
function(gwm_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  gwm_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gwm_options ${arg_DEPS})
endfunction()

# gwm_test(NAME SOURCES... DEPS... [LABELS...] [TIMEOUT s] [NO_MAIN]): a GoogleTest program in build/<preset>/tests,
# registered as one CTest test that runs in the source folder.
function(gwm_test name)
  cmake_parse_arguments(arg "NO_MAIN" "TIMEOUT" "SOURCES;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT GWM_TESTS)
    return()
  endif()
  gwm_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${GWM_TEST_OUTPUT_DIRECTORY}")
  target_link_libraries(${name} PRIVATE gwm_options ${arg_DEPS} GTest::gtest GTest::gmock)
  if(NOT arg_NO_MAIN)
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}"
    ENVIRONMENT "${GWM_TEST_ENVIRONMENT}")
endfunction()
