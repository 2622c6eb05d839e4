#include "linux/testing/support.hpp"

#include "linux/core/lock.hpp"
#include "linux/memory/user_memory.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace personality {

namespace {

int depth = 0;
Task* present = nullptr;

void expect(bool condition, const char* what) {
    if (condition)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

// The zero page is what tests use for addresses that fault.
bool accessible(std::uint64_t address, std::uint64_t length) { return length == 0 || (address >= abi::page_size && address + length > address); }

} // namespace

void lock_sandbox() { expect(++depth == 1, "sandbox lock taken twice"); }
void unlock_sandbox() { expect(--depth == 0, "sandbox lock let go of twice"); }

Task& current() {
    expect(present != nullptr, "no current task: make a TestTask");
    return *present;
}

bool user_range(std::uint64_t address, std::uint64_t length) { return accessible(address, length); }

LinuxResult<void> copy_in(std::span<std::byte> to, std::uint64_t from) {
    expect(depth == 0, "guest memory read under the sandbox lock");
    if (!accessible(from, to.size()))
        return fail(Errno::EFAULT);
    if (!to.empty())
        std::memcpy(to.data(), reinterpret_cast<const void*>(from), to.size());
    return {};
}

LinuxResult<void> copy_out(std::uint64_t to, std::span<const std::byte> from) {
    expect(depth == 0, "guest memory written under the sandbox lock");
    if (!accessible(to, from.size()))
        return fail(Errno::EFAULT);
    if (!from.empty())
        std::memcpy(reinterpret_cast<void*>(to), from.data(), from.size());
    return {};
}

LinuxResult<void> clear_user(std::uint64_t address, std::uint64_t length) {
    if (!accessible(address, length))
        return fail(Errno::EFAULT);
    std::memset(reinterpret_cast<void*>(address), 0, length);
    return {};
}

LinuxResult<std::size_t> copy_in_partial(std::span<std::byte> to, std::uint64_t from) {
    TRY(copy_in(to, from));
    return to.size();
}

LinuxResult<std::size_t> copy_out_partial(std::uint64_t to, std::span<const std::byte> from) {
    TRY(copy_out(to, from));
    return from.size();
}

LinuxResult<std::size_t> copy_string(std::span<char> to, std::uint64_t from) {
    if (!accessible(from, 1))
        return fail(Errno::EFAULT);
    const auto* text = reinterpret_cast<const char*>(from);
    for (std::size_t i = 0; i < to.size(); ++i)
        if ((to[i] = text[i]) == 0)
            return i;
    return fail(Errno::ENAMETOOLONG);
}

namespace test {

int lock_depth() { return depth; }

TestTask::TestTask() : before_(present) {
    auto process = base::Ref<Process>::adopt(*new Process(1));
    process->files = *FdTable::create();
    process->fs = base::Ref<FsContext>::adopt(*new FsContext);
    process->actions = base::Ref<SignalActions>::adopt(*new SignalActions);
    task_ = base::Ref<Task>::adopt(*new Task(1, process));
    process->threads.push_back(*task_);
    process->thread_count = 1;
    present = task_.get();
}

TestTask::~TestTask() {
    present = before_;
    task_->process().threads.remove(*task_);
}

} // namespace test
} // namespace personality
