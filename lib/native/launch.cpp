#include "lib/native/launch.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "abi/start.hpp"
#include "lib/base/weaken.hpp"
#include "lib/elf/plan.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/memory.hpp"

namespace native {

namespace {

// Below the program's heap, above the program itself.
constexpr std::uint64_t start_info_end = abi::heap_base - abi::page_size;
constexpr std::size_t start_info_limit = 64 * 1024;
constexpr elf::Limits limits{abi::personality_base, start_info_end - start_info_limit - abi::page_size};

// Sets a process up; ends it again where a step fails.
class Launch {
public:
    explicit Launch(const LaunchRequest& request) : request_(request) {}
    ~Launch() {
        if (process_ && !started_)
            (void)call::process_kill(process_.get(), 0);
    }

    base::Result<LaunchedProcess> run() {
        alignas(16) std::byte head[elf::header_bytes] = {};
        const std::size_t seen = std::min<std::uint64_t>(request_.program_bytes, sizeof head);
        TRY(call::memory_read(request_.program, 0, {head, seen}));
        const elf::Plan plan = TRY(elf::make_plan({head, seen}, request_.program_bytes, limits));
        process_ = TRY(own(call::process_create(request_.quota, request_.budget)));
        space_ = TRY(own(call::process_space(process_.get())));
        for (const elf::Segment& segment : plan.all())
            TRY(map_segment(segment));
        TRY(call::space_map(space_.get(), abi::no_handle, abi::stack_base + abi::page_size, 0, abi::stack_size - abi::page_size,
                            abi::protection::read | abi::protection::write));
        thread_ = TRY(own(call::thread_create(process_.get(), request_.budget)));
        const std::uint64_t info = TRY(write_start_info());
        if (request_.observer != nullptr)
            TRY(request_.observer->on_made(process_.get()));
        TRY(call::thread_start(thread_.get(), plan.entry, abi::stack_base + abi::stack_size - 8, info));
        started_ = true;
        return LaunchedProcess{std::move(process_), std::move(thread_)};
    }

private:
    base::Result<void> map_segment(const elf::Segment& segment) {
        const std::uint64_t begin = segment.first_page();
        const std::uint64_t file_end = segment.file_pages_end();
        const std::uint32_t flags = segment.protection | (segment.writable() ? abi::map_flag::copy_on_write : 0u);
        if (file_end > begin) {
            const std::uint64_t offset = segment.file_offset & ~(abi::page_size - 1);
            TRY(call::space_map(space_.get(), request_.program, begin, offset, file_end - begin, flags));
        }
        std::uint64_t zero_begin = file_end;
        if (segment.address + segment.file_size > file_end) {
            TRY(map_mixed_page(segment, file_end));
            zero_begin += abi::page_size;
        }
        if (segment.end_page() > zero_begin)
            TRY(call::space_map(space_.get(), abi::no_handle, zero_begin, 0, segment.end_page() - zero_begin, segment.protection));
        return {};
    }

    // The page with the end of the file's data and the start of the zeroes is a page of its own, so that no byte of what follows in the file shows.
    base::Result<void> map_mixed_page(const elf::Segment& segment, std::uint64_t page) {
        alignas(16) std::byte content[abi::page_size] = {};
        const std::uint64_t begin = std::max(page, segment.address);
        const std::size_t length = segment.address + segment.file_size - begin;
        TRY(call::memory_read(request_.program, segment.file_offset + (begin - segment.address), {content + (begin - page), length}));
        const Owned memory = TRY(own(call::memory_create(request_.quota, abi::page_size, 0)));
        TRY(call::memory_write(memory.get(), 0, content));
        return call::space_map(space_.get(), memory.get(), page, 0, abi::page_size, segment.protection);
    }

    base::Result<abi::StartHandle> grant(const Grant& grant) {
        if (grant.name.size() >= abi::start_name_bytes)
            return std::unexpected(abi::Error::bad_argument);
        abi::StartHandle entry{};
        std::memcpy(entry.name, grant.name.data(), grant.name.size());
        entry.handle = TRY(call::process_grant(process_.get(), grant.handle, grant.rights, grant.lease));
        return entry;
    }

    // The twin's weakness goes on to every program, whatever the form of its arguments.
    std::span<const abi::StartHandle> twin_marks() {
#ifdef THEMELIOS_TWIN
        if (const std::string_view name = base::weakness_name(base::chosen_weakness); !name.empty()) {
            std::memcpy(mark_.name, "weaken.", 7);
            std::memcpy(mark_.name + 7, name.data(), name.size());
            return {&mark_, 1};
        }
#endif
        return {};
    }

    // Returns the address of the StartInfo in the new process.
    base::Result<std::uint64_t> write_start_info() {
        const abi::Rights own_process = abi::right::inspect | abi::right::control | abi::right::stop | abi::right::start;
        const abi::Rights own_thread = abi::right::inspect | abi::right::suspend | abi::right::resume | abi::right::stop;
        const Grant implied[] = {
            {"self.process", process_.get(), own_process},
            {"self.space", space_.get(), abi::right::map},
            {"self.quota", request_.quota, request_.quota_rights},
            {"self.budget", request_.budget, request_.budget_rights},
            {"self.thread", thread_.get(), own_thread},
        };
        const std::span<const abi::StartHandle> marks = twin_marks();
        const std::size_t count = std::size(implied) + request_.grants.size() + marks.size();
        const std::size_t size = sizeof(abi::StartInfo) + count * sizeof(abi::StartHandle) + request_.arguments.size();
        if (size > start_info_limit)
            return std::unexpected(abi::Error::too_large);
        const std::unique_ptr<std::byte[]> block(new (std::nothrow) std::byte[size]);
        if (!block)
            return std::unexpected(abi::Error::no_memory);
        const abi::StartInfo header{abi::start_magic, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(count),
                                    static_cast<std::uint32_t>(request_.arguments.size())};
        std::byte* at = block.get();
        auto put = [&at](const void* bytes, std::size_t length) {
            std::memcpy(at, bytes, length);
            at += length;
        };
        put(&header, sizeof header);
        for (const Grant& one : implied) {
            const abi::StartHandle entry = TRY(grant(one));
            put(&entry, sizeof entry);
        }
        for (const Grant& one : request_.grants) {
            const abi::StartHandle entry = TRY(grant(one));
            put(&entry, sizeof entry);
        }
        put(marks.data(), marks.size_bytes());
        if (!request_.arguments.empty())
            put(request_.arguments.data(), request_.arguments.size());
        const Owned memory = TRY(own(call::memory_create(request_.quota, size, 0)));
        TRY(call::memory_write(memory.get(), 0, {block.get(), size}));
        const std::uint64_t address = start_info_end - page_round(size);
        TRY(call::space_map(space_.get(), memory.get(), address, 0, page_round(size), abi::protection::read));
        return address;
    }

    const LaunchRequest& request_;
    Owned process_, space_, thread_;
    bool started_ = false;
#ifdef THEMELIOS_TWIN
    abi::StartHandle mark_{};
#endif
};

} // namespace

base::Result<LaunchedProcess> launch(const LaunchRequest& request) { return Launch(request).run(); }

} // namespace native
