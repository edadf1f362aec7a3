# A folder of src/ is a floor of the house: one object library that may include only the floors it names here.
#   gatehouse_floor(NAME DEPENDS floor... [TEST_DEPENDS floor...] LIBRARIES target...)
# takes every .cc of the folder, except *_test.cc, which become the executable NAME_test (tests/CMakeLists.txt).
# TEST_DEPENDS are floors that only the tests of this one may include besides.
# tests/check_floors.py holds the include lines against these DEPENDS.
function(gatehouse_floor name)
  cmake_parse_arguments(FLOOR "" "" "DEPENDS;TEST_DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  set(target gatehouse_${name})
  add_library(${target} OBJECT ${sources})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                                              ${PROJECT_BINARY_DIR}/generated)
  gatehouse_compile_options(${target})
  foreach(floor IN LISTS FLOOR_DEPENDS)
    target_link_libraries(${target} PUBLIC gatehouse_${floor})
  endforeach()
  target_link_libraries(${target} PUBLIC ${FLOOR_LIBRARIES})
  gatehouse_use_precompiled(${target})
  set_property(GLOBAL APPEND PROPERTY GATEHOUSE_TEST_SOURCES_${name} ${tests})
  set_property(GLOBAL APPEND PROPERTY GATEHOUSE_FLOORS ${name})
endfunction()
