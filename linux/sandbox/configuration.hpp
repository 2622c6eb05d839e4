// What the launch record gave this sandbox: fixed from the start on, but for the limits of processor time.
#pragma once
#include "abi/tlv.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace personality {

struct Configuration {
    abi::Handle quota = abi::no_handle; // charged for all memory of guests: part of the process's own quota, the rest of which is the personality's
    abi::Handle budget = abi::no_handle;
    bool fused = false;                 // one page-table root: faster, for a sandbox that needs no protection from itself
    bool memory_limited = false;        // `quota` is what `--memory` says, not all that the node has
    std::size_t task_limit = SIZE_MAX;  // threads of all programs: what `--pids-limit` says, and no more than the personality's own memory bears
    bool network = false;               // has an Ethernet interface; else loopback alone
    std::uint32_t address = 0, gateway = 0, name_server = 0; // IPv4, as they travel
    std::uint64_t mac = 0;
    std::string_view hostname = "sandbox";
    std::string_view domain_name; // empty: none
};

// Of processor time, as Docker has them; the sandbox' budget is what holds them.
struct ProcessorLimits {
    std::uint64_t quota = 0; // microseconds in each period; 0: no limit
    std::uint64_t period = 100'000;
    std::uint64_t shares = 0; // 0: none were given
    std::uint64_t processors = 0; // a mask; 0: all
};

const Configuration& configuration();
// What was given last. Sandbox lock held.
ProcessorLimits processor_limits();
// Takes the limits that the records have; others stay. Sandbox lock held. Errors: bad_argument (no records; nothing is changed).
base::Result<void> read_processor_limits(abi::TlvReader records);
// Reads the handles and the TLV records (tags of abi/runtime.hpp) that the program was started with. Once, before anything else. Errors: not_found, bad_argument, no_memory.
base::Result<void> read_configuration();

} // namespace personality
