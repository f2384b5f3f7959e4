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
    tusk_note_missing("OpenSSL 3" "TLS for streams; without it what needs TLS returns -ENOTSUP")
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
