// The kernel of the host tests: closes handles, and gives audit records as audit_read says.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>

#include "abi/audit.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

namespace logging {

struct TestKernel {
    static constexpr abi::Handle log = 3, bell = 4;

    unsigned closed = 0;
    unsigned reads = 0;
    // Not given yet.
    std::deque<abi::AuditBatch> batches;
    abi::AuditBatch last{};
    std::uint64_t given = 0; // sequence of the last one that was given, 0 before
    bool armed = false;      // the bell will be signalled
    std::optional<abi::Error> refusal;

    void seal(std::uint64_t sequence, std::uint64_t boot = 7);
    // As audit_read. Errors: bad_argument.
    base::Result<std::uint64_t> read(std::uint64_t kept, abi::AuditBatch& batch);
};
extern TestKernel test_kernel;

} // namespace logging
