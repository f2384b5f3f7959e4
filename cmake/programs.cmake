# tusk_add_programs(folder): each .c file of the folder, and of the folders in
# it, is one program with the static library. Where a file lies is where its
# program lies in the build folder: examples/lessons/restaurant. Its target is
# named after the path, with dashes: examples-lessons-restaurant. What lies in
# <folder>/common/ is shared by the programs of the folder. Programs in the list
# tusk_left_out are left out, and one is linked with what is in
# tusk_links_<target>: see dependencies.cmake. A .cpp file is a program of C++17,
# built where C++ is enabled.

function(tusk_add_programs folder)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    if(CMAKE_CXX_COMPILER_LOADED)
        file(GLOB_RECURSE cpp_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
        list(APPEND sources ${cpp_sources})
    endif()
    list(FILTER sources EXCLUDE REGEX "/bench/peers/") # programs of other systems, built by what runs them
    set(common ${sources})
    list(FILTER common INCLUDE REGEX "/${folder}/common/")
    list(FILTER sources EXCLUDE REGEX "/${folder}/common/")
    set(shared "")
    if(common)
        set(shared ${folder}-common)
        add_library(${folder}-common STATIC ${common})
        tusk_set_flags(${folder}-common)
        target_include_directories(${folder}-common PUBLIC ${PROJECT_SOURCE_DIR}/${folder})
        target_link_libraries(${folder}-common PUBLIC tusk)
    endif()
    foreach(source IN LISTS sources)
        file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
        if(path IN_LIST tusk_left_out)
            continue()
        endif()
        get_filename_component(place ${path} DIRECTORY)
        get_filename_component(name ${path} NAME_WE)
        string(REPLACE "/" "-" target "${place}/${name}")
        add_executable(${target} ${source})
        tusk_set_flags(${target})
        target_link_libraries(${target} PRIVATE ${shared} ${tusk_links_${target}} tusk Threads::Threads)
        set_target_properties(${target} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${place})
    endforeach()
endfunction()
