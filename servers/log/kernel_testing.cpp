#include "servers/log/kernel_testing.hpp"

#include <cstring>

#include "native/kernel_stubs.hpp"

namespace logging {

TestKernel test_kernel;

void TestKernel::seal(std::uint64_t sequence, std::uint64_t boot) {
    abi::AuditBatch& batch = batches.emplace_back();
    batch.magic = abi::audit_batch_magic;
    batch.count = 1;
    batch.sequence = sequence;
    batch.boot = boot;
    std::memset(batch.digest, static_cast<int>(sequence), sizeof batch.digest);
}

base::Result<std::uint64_t> TestKernel::read(std::uint64_t kept, abi::AuditBatch& batch) {
    if (kept != abi::audit_kept_nothing && kept != given && (given == 0 || kept != given - 1))
        return base::fail(abi::Error::bad_argument);
    if (given == 0 || kept == given) {
        if (batches.empty()) {
            armed = true;
            return 0;
        }
        last = batches.front();
        batches.pop_front();
        given = last.sequence;
    }
    batch = last;
    return given;
}

} // namespace logging

native::call::RawResult native::call::raw(abi::KernelCall number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t, std::uint64_t) {
    using logging::TestKernel, logging::test_kernel;
    const auto refused = [](abi::Error error) { return RawResult{-static_cast<std::int64_t>(error), 0}; };
    if (number == abi::KernelCall::handle_close) {
        ++test_kernel.closed;
        return {0, 0};
    }
    if (number != abi::KernelCall::audit_read)
        return refused(abi::Error::unknown_call);
    ++test_kernel.reads;
    if (a != TestKernel::log || d != TestKernel::bell)
        return refused(abi::Error::bad_handle);
    if (test_kernel.refusal)
        return refused(*test_kernel.refusal);
    const auto read = test_kernel.read(b, *reinterpret_cast<abi::AuditBatch*>(c));
    return read ? RawResult{0, *read} : refused(read.error());
}
