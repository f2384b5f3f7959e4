# tusk for vcpkg, as an overlay port, from the tree that this port lies in:
#
#     vcpkg install tusk --overlay-ports=packaging/vcpkg
#
# In a registry, SOURCE_PATH comes from vcpkg_from_git() with a release instead.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_check_linkage(ONLY_STATIC_LIBRARY)
vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
    INVERTED_FEATURES tls CMAKE_DISABLE_FIND_PACKAGE_OpenSSL)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DTUSK_BUILD_SHARED=OFF
        -DTUSK_BUILD_TESTS=OFF
        -DTUSK_BUILD_EXAMPLES=OFF
        -DTUSK_BUILD_BENCH=OFF
        ${FEATURE_OPTIONS}
    MAYBE_UNUSED_VARIABLES CMAKE_DISABLE_FIND_PACKAGE_OpenSSL)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME tusk CONFIG_PATH lib/cmake/tusk)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
    "${CURRENT_PACKAGES_DIR}/share/doc" "${CURRENT_PACKAGES_DIR}/share/man")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
