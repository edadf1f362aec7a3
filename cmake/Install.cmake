# cmake --install: the archives, the public headers, the ready-made program, the documentation, and what find_package(gatehouse)
# and pkg-config need to find them.
include(CMakePackageConfigHelpers)

install(TARGETS gatehouse gatehouse_client_archive EXPORT gatehouse-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT development)
if(GATEHOUSE_LTO)
  # Bytecode is for the programs of this build. In what is installed it would have every link of a user compile the library again,
  # for a minute, with whatever options stand on that line: -O0, -Og and -O1 there broke g++ 12's result.
  find_program(GATEHOUSE_OBJCOPY NAMES ${CMAKE_OBJCOPY} objcopy REQUIRED)
  mark_as_advanced(GATEHOUSE_OBJCOPY)
  foreach(archive gatehouse gatehouse_client_archive)
    install(CODE "execute_process(COMMAND ${GATEHOUSE_OBJCOPY} --wildcard --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
      --strip-symbol=__gnu_lto_v1 \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/$<TARGET_FILE_NAME:${archive}>\"
      COMMAND_ERROR_IS_FATAL ANY)" COMPONENT development)
  endforeach()
endif()
install(DIRECTORY include/gatehouse DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")
install(EXPORT gatehouse-targets NAMESPACE gatehouse:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gatehouse
        COMPONENT development)

configure_package_config_file(cmake/gatehouse-config.cmake.in gatehouse-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gatehouse)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(gatehouse-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gatehouse-config.cmake ${PROJECT_BINARY_DIR}/gatehouse-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gatehouse COMPONENT development)

# The .pc file names its places relative to itself, so that `cmake --install --prefix` may put the tree anywhere.
file(RELATIVE_PATH GATEHOUSE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" GATEHOUSE_PC_PREFIX "${GATEHOUSE_PC_PREFIX}")
function(gatehouse_pc name library description)
  set(GATEHOUSE_PC_NAME ${name})
  set(GATEHOUSE_PC_LIBRARY ${library})
  set(GATEHOUSE_PC_DESCRIPTION "${description}")
  configure_file(cmake/gatehouse.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
gatehouse_pc(gatehouse gatehouse "${PROJECT_DESCRIPTION}")
gatehouse_pc(gatehouse-client gatehouse_client "GatewayClient alone: sends to and asks a cluster of gatehouse from any program")

if(TARGET gatehouse_program)
  install(TARGETS gatehouse_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()
install(FILES README.md ARCHITECTURE.md CHANGELOG.md LICENSE SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program FILES_MATCHING PATTERN "*.md")
