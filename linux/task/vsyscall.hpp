// The vsyscall page at 0xffffffffff600000: three functions that old programs call at fixed addresses. Nothing is mapped there; the fetch fault is served as the call.
#pragma once

namespace personality {

class Task;
// True where the fault was such a call and is done.
bool emulate_vsyscall(Task& task);

} // namespace personality
