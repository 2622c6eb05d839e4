#include "linux/task/vector_state.hpp"

#include "lib/native/kernel.hpp"

#include <cstring>
#include <new>

namespace personality {

LinuxResult<void> inherit_vector_state(Task& child) {
    auto* bytes = new (std::nothrow) std::byte[vector_state_limit];
    if (bytes == nullptr)
        return fail(Errno::ENOMEM);
    const auto used = native::call::vector_state(0, {bytes, vector_state_limit});
    if (!used) {
        delete[] bytes;
        return fail(Errno::ENOMEM);
    }
    child.vector_bytes = bytes;
    child.vector_length = *used;
    return {};
}

void restore_vector_state(Task& task) {
    if (task.vector_bytes == nullptr)
        return;
    (void)native::call::vector_state(1, {task.vector_bytes, task.vector_length});
    delete[] task.vector_bytes;
    task.vector_bytes = nullptr;
}

void reset_vector_state(Task&) {
    // The initial state of the legacy region: x87 control word and MXCSR with all exceptions masked.
    alignas(64) std::byte initial[512] = {};
    const std::uint16_t control = 0x37f;
    const std::uint32_t mxcsr = 0x1f80;
    std::memcpy(initial, &control, sizeof control);
    std::memcpy(initial + 24, &mxcsr, sizeof mxcsr);
    (void)native::call::vector_state(1, initial);
}

} // namespace personality
