# What tusk uses when it is there. Nothing but a C compiler, libc and threads is
# needed; for the rest, the summary says what is missing and what it is good for.

set(tusk_missing "")

function(tusk_note_missing what good_for)
    set(tusk_missing ${tusk_missing} "${what}: ${good_for}" PARENT_SCOPE)
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_library(TUSK_LIBM m)
mark_as_advanced(TUSK_LIBM)

include(CheckIncludeFile)
check_include_file(valgrind/valgrind.h TUSK_HAVE_VALGRIND)
if(NOT TUSK_HAVE_VALGRIND)
    tusk_note_missing("valgrind/valgrind.h" "tells valgrind of stack switches, for programs run under it")
endif()

# Compiled and not looked for: it has to be 2.3 or newer, and for the processor that we build for.
# -DTUSK_IO_URING=OFF builds without it where it is there.
set(TUSK_HAVE_LIBURING OFF)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    option(TUSK_IO_URING "Build the poller io_uring if liburing is there" ON)
    if(TUSK_IO_URING)
        include(CheckCSourceCompiles)
        set(CMAKE_REQUIRED_LIBRARIES uring)
        set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
        check_c_source_compiles("
            #include <liburing.h>
            int main(void)
            {
                struct io_uring ring = {.flags = IORING_SETUP_DEFER_TASKRUN};
                io_uring_prep_cancel64(io_uring_get_sqe(&ring), 0, 0);
                return io_uring_enter2(0, 0, 0, IORING_ENTER_EXT_ARG, 0, 0);
            }" TUSK_FOUND_LIBURING)
        unset(CMAKE_REQUIRED_LIBRARIES)
        unset(CMAKE_REQUIRED_DEFINITIONS)
        set(TUSK_HAVE_LIBURING ${TUSK_FOUND_LIBURING})
    endif()
    if(NOT TUSK_HAVE_LIBURING)
        tusk_note_missing("liburing 2.3" "the poller io_uring, and who asks for that gets epoll")
    endif()
endif()

# The system's own in macOS and the BSDs; EVFILT_USER came late to two of them. On Linux there is libkqueue,
# by which that poller can be tested, since 2.7: what came before has too little of it.
# -DTUSK_KQUEUE=OFF builds without it where it is there.
set(TUSK_HAVE_KQUEUE OFF)
set(TUSK_HAVE_LIBKQUEUE OFF)
option(TUSK_KQUEUE "Build the poller kqueue if the system has it, or libkqueue is there" ON)
if(TUSK_KQUEUE AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    find_path(TUSK_LIBKQUEUE_INCLUDE_DIR sys/event.h PATH_SUFFIXES kqueue)
    find_library(TUSK_LIBKQUEUE kqueue)
    mark_as_advanced(TUSK_LIBKQUEUE_INCLUDE_DIR TUSK_LIBKQUEUE)
    if(TUSK_LIBKQUEUE_INCLUDE_DIR AND TUSK_LIBKQUEUE)
        include(CheckLibraryExists)
        check_library_exists(${TUSK_LIBKQUEUE} libkqueue_drain_pending_close "" TUSK_FOUND_LIBKQUEUE)
        set(TUSK_HAVE_LIBKQUEUE ${TUSK_FOUND_LIBKQUEUE})
    endif()
    set(TUSK_HAVE_KQUEUE ${TUSK_HAVE_LIBKQUEUE})
elseif(TUSK_KQUEUE)
    include(CheckCSourceCompiles)
    check_c_source_compiles("
        #include <sys/types.h>
        #include <sys/event.h>
        int main(void)
        {
            struct kevent event = {.filter = EVFILT_USER, .fflags = NOTE_TRIGGER};
            return kevent(kqueue(), &event, 1, 0, 0, 0);
        }" TUSK_FOUND_KQUEUE)
    set(TUSK_HAVE_KQUEUE ${TUSK_FOUND_KQUEUE})
endif()

# brew keeps it where nobody looks, out of the way of Apple's own.
if(APPLE AND NOT OPENSSL_ROOT_DIR AND NOT DEFINED ENV{OPENSSL_ROOT_DIR})
    foreach(prefix /opt/homebrew/opt/openssl@3 /usr/local/opt/openssl@3)
        if(EXISTS ${prefix}/include/openssl/ssl.h)
            set(OPENSSL_ROOT_DIR ${prefix})
        endif()
    endforeach()
endif()
# -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON builds without it where it is there.
find_package(OpenSSL 3.0)
set(TUSK_HAVE_OPENSSL ${OPENSSL_FOUND})
if(NOT TUSK_HAVE_OPENSSL)
    tusk_note_missing("OpenSSL 3" "TLS for streams, which returns -ENOTSUP without it")
endif()

# For examples/file_server: llhttp, or http_parser, which came before it. examples/common/parser.h has both.
foreach(name llhttp http_parser)
    string(TOUPPER ${name} NAME)
    find_path(TUSK_${NAME}_INCLUDE_DIR ${name}.h)
    find_library(TUSK_${NAME} ${name})
    mark_as_advanced(TUSK_${NAME}_INCLUDE_DIR TUSK_${NAME})
    if(TUSK_${NAME}_INCLUDE_DIR AND TUSK_${NAME} AND NOT TARGET tusk_http_parser)
        add_library(tusk_http_parser INTERFACE)
        target_include_directories(tusk_http_parser SYSTEM INTERFACE ${TUSK_${NAME}_INCLUDE_DIR})
        target_link_libraries(tusk_http_parser INTERFACE ${TUSK_${NAME}})
        target_compile_definitions(tusk_http_parser INTERFACE EXAMPLES_PARSER_${NAME})
    endif()
endforeach()
if(TARGET tusk_http_parser)
    set(tusk_links_examples-file_server tusk_http_parser)
else()
    list(APPEND tusk_left_out examples/file_server.c)
    tusk_note_missing("llhttp or http_parser" "a parser for HTTP, for examples/file_server")
endif()

function(tusk_print_summary)
    if(NOT TUSK_TOP_LEVEL)
        return()
    endif()
    message(STATUS "tusk ${TUSK_VERSION}: coroutines by ${tusk_coro}, pollers ${tusk_pollers}")
    if(TUSK_SANITIZE)
        message(STATUS "tusk: with the ${TUSK_SANITIZE} sanitizer")
    endif()
    foreach(line IN LISTS tusk_missing)
        message(STATUS "tusk: without ${line}")
    endforeach()
endfunction()
