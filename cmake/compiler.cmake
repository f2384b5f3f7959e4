# tusk_set_flags(target): how everything of this project is compiled.
#
# Invariants: assertions hold in every kind of build, and thus -UNDEBUG comes
# after CMake's own -DNDEBUG. _GNU_SOURCE is defined empty, which is what a
# plain #define in a source file does too, so that both may stand.

set(tusk_sanitize_flags "")
if(TUSK_SANITIZE STREQUAL "address")
    set(tusk_sanitize_flags -fsanitize=address -fno-omit-frame-pointer)
elseif(TUSK_SANITIZE STREQUAL "undefined")
    set(tusk_sanitize_flags -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(TUSK_SANITIZE STREQUAL "thread")
    set(tusk_sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(TUSK_SANITIZE)
    message(FATAL_ERROR "TUSK_SANITIZE is \"${TUSK_SANITIZE}\"; it can be address, undefined or thread")
endif()

set(tusk_warning_flags -Wall -Wextra -Wshadow -Wconversion)
if(TUSK_WERROR)
    list(APPEND tusk_warning_flags -Werror)
endif()

function(tusk_set_flags target)
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
        CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
    target_compile_definitions(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>")
    target_compile_options(${target} PRIVATE
        "$<$<COMPILE_LANGUAGE:C,CXX>:${tusk_warning_flags}>"
        "$<$<COMPILE_LANGUAGE:C>:${tusk_sanitize_flags}>"
        -UNDEBUG)
    target_link_options(${target} PRIVATE ${tusk_sanitize_flags})
endfunction()
