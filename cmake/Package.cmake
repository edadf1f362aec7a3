# cpack in the preset `package`: gatehouse_*.deb, the program as a service, and libgatehouse-dev_*.deb, library and headers.
# What stands outside of /usr is installed here and not by Install.cmake: only a package may put files there.
# It may hold a secret. postinst gives it to the group of the user that it makes.
install(FILES packaging/gatehouse.toml DESTINATION /etc/gatehouse COMPONENT program PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES packaging/gatehouse.service DESTINATION /lib/systemd/system COMPONENT program)
install(FILES packaging/gatehouse.logrotate DESTINATION /etc/logrotate.d RENAME gatehouse COMPONENT program)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gatehouse)
set(CPACK_PACKAGE_VENDOR "The Gatehouse authors")
set(CPACK_PACKAGE_CONTACT "The Gatehouse authors <gatehouse@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_STRIP_FILES OFF)  # backtraces have functions and lines
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME gatehouse)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS binutils)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS logrotate)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/packaging/debian/postinst ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
    ${PROJECT_SOURCE_DIR}/packaging/debian/postrm ${PROJECT_SOURCE_DIR}/packaging/debian/conffiles)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "Register and gateways as a service, for business workers in PHP or C++")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgatehouse-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "nlohmann-json3-dev, libssl-dev, zlib1g-dev, libfmt-dev, libspdlog-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Library and headers for programs of your own")
include(CPack)
