# TUSK_VERSION, read from the one place where it stands: include/tusk/base.h.
set(tusk_version_header ${CMAKE_CURRENT_LIST_DIR}/../include/tusk/base.h)
file(STRINGS ${tusk_version_header} tusk_version_line REGEX "^#define TUSK_VERSION \"[0-9.]+\"$")
if(NOT tusk_version_line MATCHES "\"([0-9]+\\.[0-9]+\\.[0-9]+)\"")
    message(FATAL_ERROR "include/tusk/base.h has no line: #define TUSK_VERSION \"major.minor.patch\"")
endif()
set(TUSK_VERSION ${CMAKE_MATCH_1})

# The three numbers beside it must say the same.
foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${tusk_version_header} tusk_version_line REGEX "^#define TUSK_VERSION_${part} [0-9]+$")
    string(REGEX MATCH "[0-9]+$" tusk_version_${part} "${tusk_version_line}")
endforeach()
if(NOT TUSK_VERSION STREQUAL "${tusk_version_MAJOR}.${tusk_version_MINOR}.${tusk_version_PATCH}")
    message(FATAL_ERROR "include/tusk/base.h: TUSK_VERSION is ${TUSK_VERSION}, but TUSK_VERSION_MAJOR, "
                        "_MINOR and _PATCH say otherwise; make them agree")
endif()

# A change of the header configures again.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${tusk_version_header})
