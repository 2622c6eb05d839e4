// Hosted programs only. The compiler's <cxxabi.h> makes `abi` a second name of __cxxabiv1; here `abi` is the folder's namespace, so its names are brought in instead.
#pragma once
#define abi themelios_cxxabi_alias
#include_next <cxxabi.h>
#undef abi
namespace abi {
using namespace __cxxabiv1;
}
