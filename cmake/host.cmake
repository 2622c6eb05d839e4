# Unit tests on the build machine, with AddressSanitizer and UndefinedBehaviorSanitizer.
find_package(GTest REQUIRED)
include(GoogleTest)
add_library(themelios_host_flags INTERFACE)
target_link_libraries(themelios_host_flags INTERFACE themelios_common)
target_compile_options(themelios_host_flags INTERFACE -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
target_link_options(themelios_host_flags INTERFACE -fsanitize=address,undefined -fuse-ld=lld-19)
target_compile_definitions(themelios_host_flags INTERFACE THEMELIOS_HOST=1)
add_dependencies(themelios_host_flags interfaces)

# themelios_host_test(NAME SOURCES... LINK libraries...)
function(themelios_host_test name)
    cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE themelios_host_flags ${arg_LINK} GTest::gtest_main GTest::gmock)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# themelios_teeth_test(NAME SOURCES... LINK libraries...): a host test, and the same sources as a twin, NAME_twin, in which protections can be left out
# (lib/base/teeth_testing.hpp). Its libraries must not ask for weaknesses.
function(themelios_teeth_test name)
    themelios_host_test(${name} ${ARGN})
    themelios_host_test(${name}_twin ${ARGN})
    target_compile_definitions(${name}_twin PRIVATE THEMELIOS_TWIN)
endfunction()
