#include "linux/sandbox/processors.hpp"

#include "lib/native/kernel.hpp"
#include "linux/fs/quota.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/task/task.hpp"

#include <algorithm>

namespace personality {

std::uint64_t online_processors() {
    // Asked once: none comes or goes.
    static constinit std::uint64_t mask = 0;
    if (mask == 0)
        mask = ~std::uint64_t{0} >> (64 - std::clamp<std::uint64_t>(quota_figures().cpus, 1, 64));
    return mask;
}

std::uint64_t sandbox_processors() {
    const std::uint64_t mask = processor_limits().processors & online_processors();
    return mask != 0 ? mask : online_processors();
}

std::uint64_t processors_of(const Task& task) {
    const std::uint64_t mask = task.processors & sandbox_processors();
    return mask != 0 ? mask : sandbox_processors();
}

LinuxResult<void> choose_processors(Task& task, std::uint64_t processors) {
    if ((processors & sandbox_processors()) == 0)
        return fail(Errno::EINVAL);
    // One that has not begun takes it when it does.
    if (task.thread != abi::no_handle && !native::call::thread_choose(task.thread, processors))
        return fail(Errno::EINVAL);
    task.processors = processors;
    return {};
}

void take_inherited_processors(Task& task) {
    // Where the sandbox has lost all of them meanwhile, it runs on what the sandbox has.
    if (task.processors != 0)
        (void)native::call::thread_choose(task.thread, task.processors);
}

} // namespace personality
