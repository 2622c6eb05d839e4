#include "linux/calls/table.hpp"

namespace personality {

namespace {

LinuxResult<std::uint64_t> refuse(Task&, const CallArguments&) { return fail(Errno::EPERM); }

consteval std::array<CallEntry, call_count> make_table() {
    std::array<CallEntry, call_count> table{};
#define FULL(number, name) table[number] = {#name, &sys_##name, "", Support::full};
#define PARTIAL(number, name, note) table[number] = {#name, &sys_##name, note, Support::partial};
#define REFUSED(number, name) table[number] = {#name, &refuse, "", Support::refused};
#define MISSING(number, name) table[number] = {#name, nullptr, "", Support::missing};
#include "linux/calls/file_calls.inc"
#include "linux/calls/process_calls.inc"
#undef FULL
#undef PARTIAL
#undef REFUSED
#undef MISSING
    return table;
}

} // namespace

constinit const std::array<CallEntry, call_count> call_table = make_table();

} // namespace personality
