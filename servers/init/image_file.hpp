// The image file: which programs the node starts and what each of them can reach. Text, one statement a line, `#` begins a comment.
//
//   program NAME                      the following lines are about it, up to the next `program`; programs start in the order of the file
//     file PATH                       its ELF file in the root image
//     memory SIZE                     limit of its memory: pages, or with K, M, G bytes, or with % a share of the node's memory
//     budget weight=N priority=N      processor time; what is left out is 1024 and 0
//     kernel NAME RIGHTS [as NAME]    one of the root capabilities that the kernel gave init: log, clock, root_image, device, io_port, irq, io_space
//     ports FIRST COUNT as NAME       a range of I/O ports
//     quota RIGHTS / budget_rights RIGHTS    more rights to its own quota or budget than to charge and inspect
//     serve ENDPOINT [as NAME]        it receives the calls of this endpoint
//     call ENDPOINT [badge=N] [share] [as NAME]   it may call; with `share` it may hand the capability on
//     keep NAME SIZE                    a Memory that outlives it: zeros at first, then what the program under this name left, for the one that is started again. All of it is there
//                                       from the first start on and costs the node, not the program. SIZE as of `memory`, but no share
//     argument TEXT                   one argument string, up to the line's end
//     restarts N                      so often it is started again when it ends; 0 where nothing is said
//
// Numbers are decimal, or hexadecimal behind 0x. NAME is what the program finds in its StartInfo. RIGHTS is a comma-separated list of the words of abi::right.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "abi/start.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace init {

inline constexpr std::size_t max_programs = 24;
inline constexpr std::size_t max_grants = 16;
inline constexpr std::size_t max_arguments = 16;
inline constexpr std::size_t max_endpoints = 32;
inline constexpr std::size_t max_kept = 8;

struct GrantLine {
    enum class Kind : std::uint8_t { kernel, ports, serve, call, keep };
    Kind kind;
    std::string_view name;   // in the program
    std::string_view source; // kernel: name of the root capability
    std::size_t endpoint;    // serve, call: index into ImageFile::endpoints
    abi::Rights rights;      // kernel
    std::uint64_t badge;     // call
    std::uint32_t first_port, port_count;
    std::uint64_t pages;     // keep
    std::size_t kept;        // keep: below ImageFile::kept_count, of this line alone
    bool share;
};

struct Amount {
    enum class Unit : std::uint8_t { pages, percent };
    std::uint64_t value = 0;
    Unit unit = Unit::pages;
};

struct Program {
    std::string_view name;
    std::string_view file;
    Amount memory;
    std::uint32_t weight = 1024;
    std::uint32_t priority = 0;
    abi::Rights quota_rights = abi::right::charge | abi::right::inspect;
    abi::Rights budget_rights = abi::right::charge | abi::right::inspect;
    std::uint32_t restarts = 0;
    GrantLine grants[max_grants];
    std::size_t grant_count = 0;
    std::string_view arguments[max_arguments];
    std::size_t argument_count = 0;
};

// All texts lie in the file that was parsed.
struct ImageFile {
    Program programs[max_programs];
    std::size_t program_count = 0;
    std::string_view endpoints[max_endpoints]; // by name; exactly one program serves each
    std::size_t endpoint_count = 0;
    std::size_t kept_count = 0;
};

struct ParseError {
    std::size_t line = 0; // 0: about the file as a whole
    std::string_view reason;
};

// Fills `file` or `error`. An endpoint that is called and not served, or served twice, a program without file or memory, a name used twice: all are errors.
bool parse(std::string_view text, ImageFile& file, ParseError& error);

} // namespace init
