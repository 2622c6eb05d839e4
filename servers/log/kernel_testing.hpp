// The kernel of the host tests: closes handles, and gives audit records as audit_read says.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>

#include "abi/audit.hpp"
#include "abi/types.hpp"

namespace logging {

struct TestKernel {
    static constexpr abi::Handle log = 3, bell = 4;

    unsigned closed = 0;
    unsigned reads = 0;
    // Sealed, and not yet known to be kept.
    std::deque<abi::AuditBatch> batches;
    std::uint64_t given = 0; // sequence of the last one that was given
    bool armed = false;      // the bell will be signalled
    std::optional<abi::Error> refusal;

    void seal(std::uint64_t sequence, std::uint64_t boot = 7);
    std::uint64_t read(std::uint64_t kept, abi::AuditBatch& batch);
};
extern TestKernel test_kernel;

} // namespace logging
