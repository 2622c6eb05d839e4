// What a sandbox is launched with, in one text that says the same for the same launch: its SHA-256 stands for it in the audit log (abi::AuditOperation::launch).
//
// ASCII lines, each with its newline, in the order of their bytes. Numbers are decimal, rights and digests in lower-case hexadecimal digits. Nothing else is in it:
//
//   arguments SHA256               of the start record that the personality gets (abi/sandbox.hpp): hostname, limits that it shows, addresses
//   budget KEY NUMBER              each field of abi::BudgetParameters, but what follows from others: weight, priority, limit_microseconds, period_microseconds, cpus
//   grant NAME KIND RIGHTS         each capability beside the process' own: the name under which the program finds it, abi::ObjectKind, the rights that it gets
//   layer INDEX BYTES              each layer, the lowest one is 0: the size of its sealed Memory
//   program BYTES                  the personality's file
//   start SHA256                   of the records of the first start (abi/runtime.hpp), in their order: arguments, environment, user, directory, terminal. Not there where
//                                  the sandbox is launched before it is known what it runs: the management sandbox
//   quota PAGES                    the limit of its memory, the personality's own share included
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "abi/info.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "lib/base/sha256.hpp"
#include "lib/base/vector.hpp"

namespace runtime {

class LaunchRecord {
public:
    // In any order. Errors of each: no_memory.
    base::Result<void> arguments(std::span<const std::byte> record);
    base::Result<void> budget(const abi::BudgetParameters& parameters);
    // Errors: bad_argument, where the name is empty, has 32 bytes or more, or any but visible ASCII characters.
    base::Result<void> grant(std::string_view name, std::uint32_t kind, abi::Rights rights);
    base::Result<void> layer(std::size_t index, std::uint64_t bytes);
    base::Result<void> program(std::uint64_t bytes);
    base::Result<void> quota(std::uint64_t pages);
    base::Result<void> start(std::span<const std::byte> records);

    // Of all that was said.
    base::Sha256::Digest digest();

private:
    struct Line {
        char text[96];
        std::size_t size;
        std::string_view view() const { return {text, size}; }
    };
    base::Result<void> add_digest(std::string_view what, std::span<const std::byte> bytes);
    template <class... Parts> base::Result<void> add(const Parts&... parts);

    base::Vector<Line> lines_;
};

} // namespace runtime
