# Freestanding code for x86_64: the kernel, native programs, the personality.
set(freestanding_options
    --target=x86_64-unknown-none-elf -ffreestanding -fbuiltin -nostdinc -mno-red-zone -mno-sse -mno-mmx -mno-avx
    -fno-strict-aliasing -ftrivial-auto-var-init=zero -fno-omit-frame-pointer -ffunction-sections -fdata-sections -fvisibility=hidden
    -fno-asynchronous-unwind-tables -g -O2
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti> $<$<COMPILE_LANGUAGE:CXX>:-fno-threadsafe-statics>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-c++-static-destructors>)
set(freestanding_includes
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-isystem ${CMAKE_SOURCE_DIR}/lib/libc/config -isystem /usr/lib/llvm-19/include/c++/v1 -isystem ${CMAKE_SOURCE_DIR}/lib/libc/include -isystem /usr/lib/llvm-19/lib/clang/19/include>"
    "$<$<COMPILE_LANGUAGE:C>:SHELL:-isystem ${CMAKE_SOURCE_DIR}/lib/libc/include -isystem /usr/lib/llvm-19/lib/clang/19/include>")

# The image whose protections can be left out one by one (lib/base/weaken.hpp): what the attack tests are measured with, never what is run.
option(THEMELIOS_TWIN "Build the twin for attack tests" OFF)
if(THEMELIOS_TWIN)
    list(APPEND freestanding_options -DTHEMELIOS_TWIN)
endif()

option(THEMELIOS_DEBUG "Build a kernel that checks the order of its locks (kernel/arch/lock_rank.hpp)" OFF)

option(THEMELIOS_LINK_TIME "Optimise the kernel across its files, which takes most of the time that a change of one takes" ON)

# The guard is a word of the program's own: %fs and %gs are the guests'. Whoever links such code defines __stack_chk_guard and __stack_chk_fail;
# what is to run without them has the target property UNGUARDED_STACK.
set(stack_guard "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNGUARDED_STACK>>>:-fstack-protector-strong;-mstack-protector-guard=global>")
# The kernel guards frames with arrays alone: with a guard at each address taken a message cost 7 % more instructions, and a pointer to one object does not run over.
set(kernel_stack_guard -fstack-protector -mstack-protector-guard=global)

add_library(themelios_kernel_flags INTERFACE)
target_link_libraries(themelios_kernel_flags INTERFACE themelios_common)
target_compile_options(themelios_kernel_flags INTERFACE ${freestanding_options} ${freestanding_includes} ${kernel_stack_guard} -fPIE -mcmodel=small)
add_dependencies(themelios_kernel_flags interfaces)

# Native code is position independent so that every reference is relative to rip; it is linked at a fixed address in the upper half.
add_library(themelios_native_flags INTERFACE)
target_link_libraries(themelios_native_flags INTERFACE themelios_common)
target_compile_options(themelios_native_flags INTERFACE ${freestanding_options} ${freestanding_includes} "${stack_guard}" -fPIE)
add_dependencies(themelios_native_flags interfaces)

# themelios_native_library(NAME SOURCES... LINK libraries...)
function(themelios_native_library name)
    cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
    add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PUBLIC themelios_native_flags ${arg_LINK})
endfunction()

# themelios_native_program(NAME SOURCES... LINK libraries...): an ET_EXEC at abi::program_base, segments on pages of their own. Ends up in ${CMAKE_BINARY_DIR}/bin.
function(themelios_native_program name)
    cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE themelios_native_flags ${arg_LINK} native libc)
    target_link_options(${name} PRIVATE --target=x86_64-unknown-linux-gnu -fuse-ld=lld-19 -nostdlib -static
        -Wl,--image-base=0xffff800000200000 -Wl,-z,max-page-size=4096 -Wl,-z,separate-code -Wl,--gc-sections -Wl,-z,noexecstack -Wl,--build-id=none -Wl,-e,_start -Wl,-z,norelro)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
