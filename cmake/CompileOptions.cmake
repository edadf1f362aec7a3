# How everything of ours is compiled: warnings by target, sanitizers and link-time optimisation for the whole build.
function(gatehouse_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                                           -Wold-style-cast -Woverloaded-virtual -Wno-sign-conversion)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns about its own headers when std::string is inlined at -O2 (GCC PR 105651 and 105329).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-missing-field-initializers)
  else()
    target_compile_options(${target} PRIVATE -Wno-missing-field-initializers -Wno-missing-designated-field-initializers)
  endif()
  if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The frame of a coroutine holds types of its file's anonymous namespace, which g++ expects in the main source file only.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  if(GATEHOUSE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

if(GATEHOUSE_SANITIZE)
  add_compile_options(-fsanitize=${GATEHOUSE_SANITIZE} -fno-omit-frame-pointer)
  if(GATEHOUSE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  add_link_options(-fsanitize=${GATEHOUSE_SANITIZE})
endif()

if(GATEHOUSE_FUZZ)
  # Coverage of the library for the fuzz targets, without libFuzzer's main().
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(GATEHOUSE_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT ipo_works OUTPUT ipo_output LANGUAGES CXX)
  if(NOT ipo_works)
    message(STATUS "No link-time optimisation, the compiler cannot: ${ipo_output}")
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Not CMake's own switch: it leaves the machine code out of the archive, which then only this very compiler could link.
    add_compile_options(-flto=auto -ffat-lto-objects)
    add_link_options(-flto=auto)
  else()
    message(STATUS "No link-time optimisation: it is set up for g++ only")
  endif()
endif()
