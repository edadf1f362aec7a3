# The headers that cost most of a build's time, compiled once. For the builds of those who work on the library (dev, asan); the fuzz
# build compiles every file as it stands, so that a missing #include is found.
option(GATEHOUSE_PRECOMPILE "Precompile the heavy headers" OFF)

function(gatehouse_precompiled name)
  cmake_parse_arguments(PRECOMPILED "" "" "HEADERS;LIBRARIES" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${name}.cc CONTENT "// precompiled headers only\n")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/generated/${name}.cc)
  gatehouse_compile_options(${name})
  target_link_libraries(${name} PRIVATE ${PRECOMPILED_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${PRECOMPILED_HEADERS})
endfunction()

if(GATEHOUSE_PRECOMPILE)
  if(GATEHOUSE_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)  # ccache wants it beside precompiled headers
  endif()
  set(standard <algorithm> <chrono> <functional> <map> <memory> <optional> <string> <string_view> <unordered_map> <vector>)
  gatehouse_precompiled(gatehouse_precompiled LIBRARIES fmt::fmt nlohmann_json::nlohmann_json
                        HEADERS ${standard} <fmt/format.h> <nlohmann/json.hpp>)
  if(GATEHOUSE_TESTS)
    find_package(GTest REQUIRED)
    gatehouse_precompiled(gatehouse_precompiled_tests LIBRARIES fmt::fmt nlohmann_json::nlohmann_json GTest::gmock
                          HEADERS ${standard} <fmt/format.h> <nlohmann/json.hpp> <gmock/gmock.h> <gtest/gtest.h>)
    set_target_properties(gatehouse_precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  endif()
endif()

# A target without tests' headers, or with them: gatehouse_use_precompiled(TARGET [TESTS])
function(gatehouse_use_precompiled target)
  if(GATEHOUSE_PRECOMPILE)
    if("TESTS" IN_LIST ARGN)
      target_precompile_headers(${target} REUSE_FROM gatehouse_precompiled_tests)
      # An executable's -fPIE is not an object library's -fPIC; both go without.
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    else()
      target_precompile_headers(${target} REUSE_FROM gatehouse_precompiled)
    endif()
  endif()
endfunction()
