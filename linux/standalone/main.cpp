// The personality as the first program of a test image: the root image is its layer, the log its standard output. `program=/bin/a,argument,...` on the command line.
// With `watched_cpus=MASK guest_cpus=MASK`, a hexadecimal digit each, the program has linux/standalone/watch.hpp's file as its descriptor 3, the priority of a container, and the processors of
// the second mask.
#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "lib/native/thread.hpp"
#include "linux/core/lock.hpp"
#include "linux/exec/first_program.hpp"
#include "linux/fs/devices.hpp"
#include "linux/fs/erofs_layer.hpp"
#include "linux/fs/root.hpp"
#include "linux/calls/table.hpp"
#include "linux/memory/user_word.hpp"
#include "linux/net/link.hpp"
#include "linux/sandbox/configuration.hpp"
#include "linux/standalone/watch.hpp"
#include "linux/task/guest_loop.hpp"

#include <array>
#include <new>

namespace personality {

namespace {

constinit Configuration configured;
constinit std::uint32_t ended = 0;
constinit std::uint32_t end_status = 0;

// Standard output and error: whole lines go to the log.
class LogFile final : public File {
public:
    LinuxResult<std::size_t> read(std::span<std::byte>) override { return 0; }
    LinuxResult<std::size_t> write(std::span<const std::byte> from) override {
        for (const std::byte byte : from) {
            const char character = static_cast<char>(byte);
            if (character == '\n' || used_ == sizeof line_) {
                native::print_line({line_, used_});
                used_ = 0;
            }
            if (character != '\n')
                line_[used_++] = character;
        }
        return from.size();
    }

private:
    char line_[200];
    std::size_t used_ = 0;
};

void fail_with(std::string_view what, Errno error) {
    native::print("standalone: ", what, ": errno ", static_cast<int>(error));
    (void)native::call::io_port_write(native::granted("io_port"), 0xf4, 4, 0x11);
}

// A mask of processors; none where the argument is not there.
std::uint64_t processors(std::string_view argument) {
    constexpr std::string_view digits = "0123456789abcdef";
    const std::string_view text = native::argument(argument);
    const std::size_t found = text.size() == 1 ? digits.find(text[0]) : std::string_view::npos;
    return found == std::string_view::npos ? 0 : found;
}

// The guest's threads share the processors as those of any container do, below whoever watches.
base::Result<void> watch(std::uint64_t watched) {
    configured.budget = TRY(native::call::budget_create(native::self().quota, native::self().budget, abi::BudgetParameters{1024, 0, 0, 0, processors("guest_cpus")}));
    return start_watch(watched);
}

LinuxResult<void> run() {
    const abi::Handle root = native::granted("root_image");
    abi::MemoryInfo info{};
    if (!native::call::memory_inspect(root, info))
        return fail(Errno::EIO);
    constexpr std::uint64_t place = abi::heap_base + (1ull << 37);
    if (!native::call::space_map(native::self().space, root, place, 0, info.size, abi::protection::read))
        return fail(Errno::ENOMEM);
    ErofsLayer* const layer = TRY(ErofsLayer::make({reinterpret_cast<const std::byte*>(place), static_cast<std::size_t>(info.size)}, root));
    const Layer* const layers[] = {layer};
    RootOptions options;
    options.hostname = "standalone";
    {
        const SandboxLock lock;
        TRY(make_root(layers, options));
    }
    std::array<std::byte, 32> secret;
    random_bytes(secret);
    if (!net::start(secret, nullptr, {})) // the loopback interface
        return fail(Errno::ENOMEM);
    FirstProgram first;
    std::string_view rest = native::argument("program");
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        TRY(first.arguments.add(rest.substr(0, comma)));
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    TRY(first.environment.add("PATH=/bin:/usr/bin:/sbin:/usr/sbin"));
    TRY(first.environment.add("HOME=/root"));
    first.search = "/bin:/usr/bin";
    first.directory = "/";
    {
        const SandboxLock lock;
        first.files = TRY(FdTable::create());
        for (int i = 0; i < 3; ++i) {
            auto* file = new (std::nothrow) LogFile;
            if (file == nullptr)
                return fail(Errno::ENOMEM);
            file->flags = 2;
            (void)TRY(first.files->install(base::Ref<File>(base::Ref<LogFile>::adopt(*file)), false, 16));
        }
        if (processors("watched_cpus") != 0) {
            auto* file = new (std::nothrow) WatchFile;
            if (file == nullptr)
                return fail(Errno::ENOMEM);
            file->flags = 2;
            (void)TRY(first.files->install(base::Ref<File>(base::Ref<WatchFile>::adopt(*file)), false, 16));
        }
    }
    return start_first_program(first);
}

} // namespace

const Configuration& configuration() { return configured; }
ProcessorLimits processor_limits() { return {}; }

void first_program_ended(std::uint32_t status) {
    end_status = status;
    __atomic_store_n(&ended, 1u, __ATOMIC_RELEASE);
    native::futex_wake(&ended, 1);
}

void last_task_ended() {}
void memory_ran_out() {}

void random_bytes(std::span<std::byte> to) {
    static constinit std::uint64_t state = 0x9e3779b97f4a7c15;
    for (std::byte& byte : to) {
        state = state * 6364136223846793005ull + native::monotonic_nanoseconds();
        byte = static_cast<std::byte>(state >> 56);
    }
}

} // namespace personality

int native_main() {
    using namespace personality;
    configured = {native::self().quota, native::self().budget, native::argument("fused") == "1"};
    prepare_user_memory();
    if (const std::uint64_t watched = processors("watched_cpus"); watched != 0 && !watch(watched)) {
        fail_with("watch", Errno::ENOMEM);
        return 1;
    }
    if (auto started = run(); !started) {
        fail_with(native::argument("program"), started.error());
        return 1;
    }
    while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) == 0)
        (void)native::futex_wait(&ended, 0);
    for (unsigned number = 0; number < call_count; ++number)
        if (missing_calls(number) != 0)
            native::print("missing call ", number, " ", std::string_view(call_table[number].name ? call_table[number].name : "?"), ": ", missing_calls(number));
    native::print("standalone: wait status ", end_status);
    (void)native::call::io_port_write(native::granted("io_port"), 0xf4, 4, end_status == 0 ? 0x10 : 0x11);
    return 0;
}
