# The two libraries: tusk::tusk (static) and tusk::shared.

# What internal headers ask for; tests that include them get the same.
set(tusk_definitions "")
if(TUSK_HAVE_VALGRIND)
    list(APPEND tusk_definitions TUSK_HAVE_VALGRIND)
endif()
if(TUSK_HAVE_OPENSSL)
    list(APPEND tusk_definitions TUSK_HAVE_OPENSSL)
endif()
if(TUSK_HAVE_LIBURING)
    list(APPEND tusk_definitions TUSK_HAVE_LIBURING)
endif()
if(TUSK_HAVE_KQUEUE)
    list(APPEND tusk_definitions TUSK_HAVE_KQUEUE)
endif()
if(TUSK_HAVE_LIBKQUEUE)
    list(APPEND tusk_definitions TUSK_HAVE_LIBKQUEUE)
endif()
if(tusk_coro STREQUAL "ucontext")
    list(APPEND tusk_definitions TUSK_CORO_UCONTEXT)
endif()

function(tusk_set_up_library target)
    tusk_set_flags(${target})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME tusk
        C_VISIBILITY_PRESET hidden
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR})
    target_include_directories(${target}
        PUBLIC
            "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
            "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
        PRIVATE ${PROJECT_SOURCE_DIR}/src)
    # The library is loaded with its program, never by dlopen alone, so a thread's
    # loop may be found by one load instead of a call.
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:-ftls-model=initial-exec>")
    target_link_options(${target} INTERFACE "$<BUILD_INTERFACE:${tusk_sanitize_flags}>")
    target_link_libraries(${target} PRIVATE Threads::Threads)
    if(TUSK_HAVE_OPENSSL)
        target_link_libraries(${target} PRIVATE OpenSSL::SSL OpenSSL::Crypto)
    endif()
    if(TUSK_HAVE_LIBURING)
        target_link_libraries(${target} PRIVATE uring)
    endif()
    if(TUSK_HAVE_LIBKQUEUE)
        target_include_directories(${target} SYSTEM PRIVATE ${TUSK_LIBKQUEUE_INCLUDE_DIR})
        target_link_libraries(${target} PRIVATE ${TUSK_LIBKQUEUE})
    endif()
    if(TUSK_LIBM)
        target_link_libraries(${target} PRIVATE m)
    endif()
    target_compile_definitions(${target} PRIVATE ${tusk_definitions})
endfunction()

add_library(tusk STATIC ${tusk_sources})
add_library(tusk::tusk ALIAS tusk)
tusk_set_up_library(tusk)

if(TUSK_BUILD_SHARED)
    add_library(tusk_shared SHARED ${tusk_sources})
    add_library(tusk::shared ALIAS tusk_shared)
    tusk_set_up_library(tusk_shared)
    set_target_properties(tusk_shared PROPERTIES
        EXPORT_NAME shared
        EXPORT_COMPILE_COMMANDS OFF # each file once is enough for tools
        LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/tusk.map)
    target_compile_options(tusk_shared PRIVATE "$<$<COMPILE_LANGUAGE:C>:-fno-semantic-interposition>")
    if(APPLE)
        # The same map in the words of the other linker.
        file(WRITE ${PROJECT_BINARY_DIR}/tusk.exports "_tusk_*\n")
        target_link_options(tusk_shared PRIVATE
            "LINKER:-exported_symbols_list,${PROJECT_BINARY_DIR}/tusk.exports")
    else()
        target_link_options(tusk_shared PRIVATE
            "LINKER:--version-script=${PROJECT_SOURCE_DIR}/src/tusk.map")
    endif()
endif()
