# Static programs for the Linux ABI: services and test programs that run in sandboxes.
add_library(themelios_service_flags INTERFACE)
target_link_libraries(themelios_service_flags INTERFACE themelios_common)
target_compile_options(themelios_service_flags INTERFACE -O2 -g1 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections)
add_dependencies(themelios_service_flags interfaces)

# themelios_service(NAME SOURCES... LINK libraries...): ends up in ${CMAKE_BINARY_DIR}/bin.
function(themelios_service name)
    cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE themelios_service_flags ${arg_LINK})
    target_link_options(${name} PRIVATE -static -fuse-ld=lld-19 -Wl,--gc-sections -Wl,-z,noexecstack)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
