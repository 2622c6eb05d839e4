#include "kernel/init/first_process.hpp"

#include <algorithm>
#include <cstring>

#include "abi/start.hpp"
#include "kernel/thread/futex.hpp"
#include "kernel/init/elf_image.hpp"
#include "kernel/arch/physical.hpp"
#include "kernel/audit/audit_log.hpp"
#include "kernel/thread/budget.hpp"
#include "kernel/device/device.hpp"
#include "kernel/device/irq.hpp"
#include "kernel/space/memory.hpp"
#include "kernel/thread/process.hpp"
#include "kernel/space/space.hpp"
#include "kernel/core/panic.hpp"

namespace kernel {

namespace {

constexpr std::size_t max_handles = 16;
constexpr std::size_t max_arguments = 640;
// Above the program, below its heap: one page each way is free.
constexpr std::uint64_t start_info_address = abi::heap_base - 16 * abi::page_size;
constexpr std::uint64_t first_stack = abi::stack_base;

// The StartInfo while it is filled.
class StartBlock {
public:
    void add(std::string_view name, abi::Handle handle) {
        abi::StartHandle& entry = handles_[count_++];
        std::memcpy(entry.name, name.data(), std::min(name.size(), abi::start_name_bytes - 1));
        entry.handle = handle;
    }

    void add_argument(std::string_view text) {
        const std::size_t length = std::min(text.size(), max_arguments - 1 - argument_bytes_);
        std::memcpy(arguments_ + argument_bytes_, text.data(), length);
        argument_bytes_ += length;
    }

    void add_hexadecimal(std::uint64_t value) {
        char digits[16];
        for (std::size_t i = 0; i < 16; ++i) digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
        std::size_t skip = 0;
        while (skip < 15 && digits[skip] == '0') ++skip;
        add_argument({digits + skip, 16 - skip});
    }

    // Errors: as Memory::create and write.
    base::Result<base::Ref<Memory>> finish(Quota& quota) {
        abi::StartInfo header{abi::start_magic, 0, static_cast<std::uint32_t>(count_), static_cast<std::uint32_t>(argument_bytes_ + 1)};
        const std::size_t handle_bytes = count_ * sizeof(abi::StartHandle);
        header.size = static_cast<std::uint32_t>(sizeof(header) + handle_bytes + header.argument_bytes);
        auto memory = TRY(Memory::create(quota, header.size, 0));
        TRY(memory->write(0, std::as_bytes(std::span(&header, 1))));
        TRY(memory->write(sizeof(header), std::as_bytes(std::span(handles_, count_))));
        TRY(memory->write(sizeof(header) + handle_bytes, std::as_bytes(std::span(arguments_, header.argument_bytes))));
        return memory;
    }

private:
    abi::StartHandle handles_[max_handles] = {};
    std::size_t count_ = 0;
    char arguments_[max_arguments] = {};
    std::size_t argument_bytes_ = 0;
};

template <class T>
Held<T> held(const base::Ref<T>& object, abi::Rights rights) {
    return Held<T>{object, 0, {}, rights};
}

base::Result<void> map_segment(Quota& quota, Space& space, const ElfSegment& segment, const std::byte* file) {
    const std::uint64_t begin = segment.first_page();
    auto memory = TRY(Memory::create(quota, segment.end_page() - begin, 0));
    TRY(memory->write(segment.address - begin, {file + segment.file_offset, segment.file_size}));
    return space.map(held(memory, Memory::rights), begin, 0, segment.end_page() - begin, segment.protection);
}

class FirstProcess {
public:
    explicit FirstProcess(const BootImages& images) : images_(images) {}

    base::Result<void> start() {
        Quota& quota = Quota::root();
        const ElfImage elf = TRY(ElfImage::parse({direct<std::byte>(images_.init), images_.init_size}));
        auto budget = TRY(Budget::create_root(quota));
        process_ = TRY(Process::create(quota, budget, nullptr));
        Audit::record_now({.operation = abi::AuditOperation::create, .kind = process_->kind(), .object = process_->number(), .other = quota.number(), .rights = Process::rights});
        process_->note_recorded();
        auto space = TRY(process_->space());
        for (const ElfSegment& segment : elf.segments()) TRY(map_segment(quota, *space, segment, direct<std::byte>(images_.init)));
        TRY(space->map(Held<Memory>{}, first_stack + abi::page_size, 0, abi::stack_size - abi::page_size,
                       abi::protection::read | abi::protection::write));
        TRY(grant_all(quota, budget, space));
        add_words(images_.command_line);
        block_.add_argument("rsdp=0x");
        block_.add_hexadecimal(images_.rsdp);
        auto info = TRY(block_.finish(quota));
        TRY(space->map(held(info, abi::right::map | abi::right::read), start_info_address, 0, info->size(), abi::protection::read));
        auto thread = TRY(Thread::create(*process_, budget));
        // Who starts all others cannot wait for one of them.
        process_->audit_account().set_never_waits();
        return thread->start(elf.entry(), first_stack + abi::stack_size - 8, start_info_address);
    }

private:
    // The command line's words, as the NUL-terminated strings that native programs take.
    void add_words(std::string_view line) {
        while (!line.empty()) {
            const std::size_t end = std::min(line.find(' '), line.size());
            if (end != 0) {
                block_.add_argument(line.substr(0, end));
                block_.add_argument(std::string_view("\0", 1));
            }
            line.remove_prefix(std::min(end + 1, line.size()));
        }
    }

    template <class T>
    [[gnu::noinline]] base::Result<void> grant(std::string_view name, base::Ref<T> object, abi::Rights rights) {
        Capability capability;
        const base::Ref<Object> given = object;
        capability.object = std::move(object);
        capability.rights = rights;
        block_.add(name, TRY(process_->handles().insert(std::move(capability))));
        Audit::record_now({.operation = abi::AuditOperation::grant, .kind = given->kind(), .object = given->number(), .other = process_->number(), .rights = rights});
        return {};
    }

    // Everything there is: what no capability here leads to, nobody will ever reach.
    base::Result<void> grant_all(Quota& quota, const base::Ref<Budget>& budget, const base::Ref<Space>& space) {
        TRY(grant("self.process", process_, Process::rights));
        TRY(grant("self.space", space, Space::rights));
        TRY(grant("self.quota", base::Ref<Quota>(quota), Quota::rights));
        TRY(grant("self.budget", budget, Budget::rights));
        TRY(grant("log", TRY(make_object<AuditLog>(quota)), AuditLog::rights));
        if (images_.root) {
            auto root = TRY(Memory::create_fixed(quota, images_.root, images_.root_size, true));
            TRY(grant("root_image", root, Memory::rights & ~(abi::right::write | abi::right::control)));
        }
        constexpr std::uint64_t physical_end = 1ull << 46;
        TRY(grant("device", TRY(make_object<Device>(quota, 0, physical_end)), Device::rights));
        TRY(grant("io_port", TRY(make_object<IoPort>(quota, 0, 65536)), IoPort::rights));
        TRY(grant("irq", TRY(make_object<Irq>(quota)), Irq::rights));
        TRY(grant("io_space", TRY(make_object<IoSpace>(quota)), IoSpace::rights));
        auto clock = TRY(Memory::create_fixed(quota, images_.clock, abi::page_size, false));
        return grant("clock", clock, Memory::rights & ~(abi::right::execute | abi::right::control));
    }

    const BootImages& images_;
    base::Ref<Process> process_;
    StartBlock block_;
};

} // namespace

void start_first_process(const BootImages& images) {
    initialize_futexes();
    if (images.init == 0) panic("no boot module named init");
    FirstProcess first(images);
    if (auto started = first.start(); !started) {
        panic("the first program cannot start: error %u", static_cast<std::uint64_t>(started.error()));
    }
}

} // namespace kernel
