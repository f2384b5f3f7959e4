# What cmake --install puts where: headers, libraries, manual pages, the CMake package
# and the pkg-config file. All of it may be moved as a whole afterwards.
include(CMakePackageConfigHelpers)

set(tusk_targets tusk)
if(TUSK_BUILD_SHARED)
    list(APPEND tusk_targets tusk_shared)
endif()
set(tusk_cmake_place ${CMAKE_INSTALL_LIBDIR}/cmake/tusk)

install(TARGETS ${tusk_targets} EXPORT tuskTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/tusk.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tusk DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The manual pages are made from the comments of the headers.
find_program(TUSK_PYTHON NAMES python3 python)
mark_as_advanced(TUSK_PYTHON)
if(TUSK_PYTHON)
    file(GLOB tusk_man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/tusk.h
        ${PROJECT_SOURCE_DIR}/include/tusk/*.h ${PROJECT_SOURCE_DIR}/tools/docs/*.py)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man.stamp
        COMMAND ${TUSK_PYTHON} ${PROJECT_SOURCE_DIR}/tools/reference man ${PROJECT_BINARY_DIR}/man
        COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man.stamp
        DEPENDS ${tusk_man_sources} ${PROJECT_SOURCE_DIR}/tools/reference ${PROJECT_SOURCE_DIR}/docs/errors.md
        COMMENT "Writing the manual pages" VERBATIM)
    add_custom_target(tusk_man ALL DEPENDS ${PROJECT_BINARY_DIR}/man.stamp)
    install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
else()
    tusk_note_missing("Python 3" "writes the manual pages, and none are installed without it")
endif()

install(EXPORT tuskTargets NAMESPACE tusk:: DESTINATION ${tusk_cmake_place})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/tuskConfig.cmake.in
    ${PROJECT_BINARY_DIR}/tuskConfig.cmake INSTALL_DESTINATION ${tusk_cmake_place})
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tuskConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tuskConfig.cmake ${PROJECT_BINARY_DIR}/tuskConfigVersion.cmake
    DESTINATION ${tusk_cmake_place})

# The prefix as seen from the .pc file, so that it stays right wherever the tree
# goes; with an absolute libdir there is no such path, and the prefix stands there.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(tusk_pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(tusk_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH tusk_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
    string(REGEX REPLACE "/$" "" tusk_up "${tusk_up}")
    set(tusk_pc_prefix "\${pcfiledir}/${tusk_up}")
    set(tusk_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(tusk_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(tusk_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(tusk_pc_private "-pthread")
if(TUSK_LIBM)
    string(APPEND tusk_pc_private " -lm")
endif()
if(TUSK_HAVE_LIBURING)
    string(APPEND tusk_pc_private " -luring")
endif()
if(TUSK_HAVE_LIBKQUEUE)
    string(APPEND tusk_pc_private " -lkqueue")
endif()
# Only who links the static library needs OpenSSL's own .pc file.
set(tusk_pc_requires "")
if(TUSK_HAVE_OPENSSL)
    set(tusk_pc_requires "libssl >= 3.0, libcrypto >= 3.0")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/tusk.pc.in ${PROJECT_BINARY_DIR}/tusk.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tusk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
