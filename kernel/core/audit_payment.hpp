// Who pays for a record of the audit log.
#pragma once
#include <cstdint>

namespace kernel {

enum class AuditPayment : std::uint8_t {
    due,      // by the sandbox of a thread of the fair band
    made,     // by it, before what is recorded was done
    none_due, // the thread is above the fair band
};

} // namespace kernel
