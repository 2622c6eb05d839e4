# What all three configurations share.
file(STRINGS ${CMAKE_SOURCE_DIR}/VERSION THEMELIOS_VERSION LIMIT_COUNT 1)
set(THEMELIOS_GENERATED ${CMAKE_BINARY_DIR}/generated)
add_library(themelios_common INTERFACE)
target_include_directories(themelios_common INTERFACE ${CMAKE_SOURCE_DIR} ${THEMELIOS_GENERATED})
if(NOT THEMELIOS_PART STREQUAL x86_64)
    # A <cxxabi.h> that leaves the name `abi` to us.
    target_include_directories(themelios_common INTERFACE ${CMAKE_SOURCE_DIR}/lib/libc/hosted)
endif()
target_compile_definitions(themelios_common INTERFACE THEMELIOS_VERSION="${THEMELIOS_VERSION}")
target_compile_options(themelios_common INTERFACE -Wall -Wextra -Wno-unused-parameter $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)

option(THEMELIOS_COVERAGE "Count which branches of the kernel are taken (tests/coverage): in a kernel of its own, or by the tests on the build machine" OFF)
set(THEMELIOS_COUNTERS -fprofile-instr-generate -fcoverage-mapping)

# Code from the interface files; every freestanding target depends on it.
if(EXISTS ${CMAKE_SOURCE_DIR}/tools/abi/generate.py)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    file(GLOB THEMELIOS_INTERFACES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/abi/*.abi)
    file(GLOB THEMELIOS_GENERATOR CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/abi/*.py)
    add_custom_command(
        OUTPUT ${THEMELIOS_GENERATED}/stamp
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/abi/generate.py --out ${THEMELIOS_GENERATED} ${THEMELIOS_INTERFACES}
        COMMAND ${CMAKE_COMMAND} -E touch ${THEMELIOS_GENERATED}/stamp
        DEPENDS ${THEMELIOS_INTERFACES} ${THEMELIOS_GENERATOR}
        COMMENT "Interfaces")
    add_custom_target(interfaces DEPENDS ${THEMELIOS_GENERATED}/stamp)
else()
    add_custom_target(interfaces)
endif()
