# C++ of the .proto files, generated into the build tree.
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_program(GWM_PROTOC protoc REQUIRED)
find_program(GWM_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# gwm_proto_library(NAME ROOT folder FILES paths below ROOT... SERVICES those of FILES that declare services...):
# a static library with messages and gRPC stubs, and NAME.desc, a descriptor set with the comments, in the build tree.
function(gwm_proto_library name)
  cmake_parse_arguments(arg "" "ROOT" "FILES;SERVICES" ${ARGN})
  set(out "${CMAKE_BINARY_DIR}/proto")
  file(MAKE_DIRECTORY "${out}")
  set(sources)
  set(inputs)
  foreach(file ${arg_FILES})
    string(REGEX REPLACE "\\.proto$" "" stem "${file}")
    list(APPEND inputs "${arg_ROOT}/${file}")
    set(outputs "${out}/${stem}.pb.cc" "${out}/${stem}.pb.h")
    set(plugin_arguments)
    if(file IN_LIST arg_SERVICES)
      list(APPEND outputs "${out}/${stem}.grpc.pb.cc" "${out}/${stem}.grpc.pb.h")
      set(plugin_arguments "--grpc_out=${out}" "--plugin=protoc-gen-grpc=${GWM_GRPC_CPP_PLUGIN}")
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND "${GWM_PROTOC}" "-I${arg_ROOT}" "--cpp_out=${out}" ${plugin_arguments} "${file}"
      WORKING_DIRECTORY "${arg_ROOT}"
      DEPENDS "${arg_ROOT}/${file}"
      COMMENT "protoc ${file}"
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  set(descriptors "${out}/${name}.desc")
  add_custom_command(
    OUTPUT "${descriptors}"
    COMMAND "${GWM_PROTOC}" "-I${arg_ROOT}" --include_imports --include_source_info
            "--descriptor_set_out=${descriptors}" ${arg_FILES}
    WORKING_DIRECTORY "${arg_ROOT}"
    DEPENDS ${inputs}
    COMMENT "protoc descriptor set ${name}"
    VERBATIM)
  add_custom_target(${name}_descriptors DEPENDS "${descriptors}")
  add_library(${name} STATIC ${sources})
  add_dependencies(${name} ${name}_descriptors)
  # Generated code is included as a system header: our warnings are for our code.
  target_include_directories(${name} SYSTEM PUBLIC "${out}")
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf gRPC::grpc++)
  if(GWM_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${GWM_SANITIZE} -fno-omit-frame-pointer)
  endif()
endfunction()
