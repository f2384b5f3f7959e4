# tusk_sources: the files of the library for this processor and system.
# tusk_coro and tusk_pollers: what was chosen, for the summary.

# --- src/coro/arch: one folder, by processor -----------------------------------

set(tusk_processor none)
if(CMAKE_SIZEOF_VOID_P EQUAL 8)
    if(CMAKE_OSX_ARCHITECTURES)
        set(tusk_processor_name ${CMAKE_OSX_ARCHITECTURES})
    else()
        set(tusk_processor_name ${CMAKE_SYSTEM_PROCESSOR})
    endif()
    if(tusk_processor_name MATCHES "^(x86_64|amd64|AMD64)$")
        set(tusk_processor x86_64)
    elseif(tusk_processor_name MATCHES "^(aarch64|arm64|ARM64)$")
        set(tusk_processor aarch64)
    endif()
endif()

if(TUSK_CORO STREQUAL "auto" OR TUSK_CORO STREQUAL "asm")
    set(tusk_coro ${tusk_processor})
    if(tusk_processor STREQUAL "none")
        if(TUSK_CORO STREQUAL "asm")
            message(FATAL_ERROR "TUSK_CORO=asm: there is no switch in assembly for the processor "
                                "\"${CMAKE_SYSTEM_PROCESSOR}\"; use -DTUSK_CORO=ucontext")
        endif()
        set(tusk_coro ucontext)
    endif()
elseif(TUSK_CORO STREQUAL "ucontext")
    set(tusk_coro ucontext)
else()
    message(FATAL_ERROR "TUSK_CORO is \"${TUSK_CORO}\"; it can be auto, asm or ucontext")
endif()

# --- src/loop/poll: what the system has. A file that no line names is built everywhere.
# (tools/amalgamate has the same conditions for the preprocessor.) ---

set(tusk_pollers poll)
set(tusk_poll_unfit "")
if(TUSK_HAVE_KQUEUE)
    list(PREPEND tusk_pollers kqueue)
else()
    list(APPEND tusk_poll_unfit kqueue libkqueue)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    # Without liburing there is io_uring.c all the same, and says so.
    if(TUSK_HAVE_LIBURING)
        list(PREPEND tusk_pollers io_uring)
    endif()
    list(PREPEND tusk_pollers epoll)
else()
    list(APPEND tusk_poll_unfit epoll io_uring ring libkqueue)
endif()
string(REPLACE ";" ", " tusk_pollers "${tusk_pollers}")
string(REPLACE ";" "|" tusk_poll_unfit "${tusk_poll_unfit}")

# --- src/io/tls: with OpenSSL or none.c ---

set(tusk_tls_unfit "none")
if(NOT TUSK_HAVE_OPENSSL)
    set(tusk_tls_unfit "(bio|channel|connection|context|error|hostname|info|session|sni|start)")
endif()

# --- the list -------------------------------------------------------------------

file(GLOB_RECURSE tusk_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
list(FILTER tusk_sources EXCLUDE REGEX "/src/coro/arch/[^/]+/")
if(tusk_poll_unfit)
    list(FILTER tusk_sources EXCLUDE REGEX "/src/loop/poll/(${tusk_poll_unfit})\\.c$")
endif()
list(FILTER tusk_sources EXCLUDE REGEX "/src/io/tls/${tusk_tls_unfit}\\.c$")
file(GLOB tusk_arch_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/src/coro/arch/${tusk_coro}/*.c
    ${PROJECT_SOURCE_DIR}/src/coro/arch/${tusk_coro}/*.S)
list(APPEND tusk_sources ${tusk_arch_sources})

# --- all of them as one: tools/amalgamate ------------------------------------------

# For tests: the library as a program gets it that compiles tusk.c itself. Internals stay visible.
if(TUSK_AMALGAMATION)
    find_program(TUSK_PYTHON NAMES python3 python REQUIRED)
    set(tusk_amalgamation ${PROJECT_BINARY_DIR}/amalgamation/tusk.c)
    file(GLOB_RECURSE tusk_amalgamated CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.h
        ${PROJECT_SOURCE_DIR}/src/*.[ch] ${PROJECT_SOURCE_DIR}/src/*.S)
    add_custom_command(OUTPUT ${tusk_amalgamation}
        COMMAND ${TUSK_PYTHON} ${PROJECT_SOURCE_DIR}/tools/amalgamate --output ${PROJECT_BINARY_DIR}/amalgamation
        DEPENDS ${tusk_amalgamated} ${PROJECT_SOURCE_DIR}/tools/amalgamate)
    set(tusk_sources ${tusk_amalgamation})
    set_source_files_properties(${tusk_amalgamation} PROPERTIES COMPILE_DEFINITIONS "TUSK__LOCAL=")
endif()
