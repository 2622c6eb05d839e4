// The log server from /bin/log of the root image, with this program in the place of init: it dies, is started again at the same endpoints, and its callers find it.
#include "tests/native/check.hpp"

#include "abi/log_client.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/launch.hpp"
#include "lib/native/root_image.hpp"

using namespace test;

namespace {

namespace call = native::call;

constexpr std::string_view arguments("writer=1:writer\0reader=2", 24);
constexpr std::uint64_t pages = 512, store_pages = 16;

struct Log {
    native::Owned quota;
    native::LaunchedProcess process;
};

// Errors: those of the calls.
base::Result<Log> start(const native::FileMemory& file, abi::Handle programs, abi::Handle sandboxes, abi::Handle store) {
    constexpr abi::Rights served = abi::right::receive | abi::right::bind | abi::right::inspect;
    const native::Grant grants[] = {{"log", native::granted("log"), abi::right::write | abi::right::receive | abi::right::inspect},
                                    {"audit_store", store, abi::right::read | abi::right::write | abi::right::map | abi::right::duplicate | abi::right::transfer | abi::right::inspect},
                                    {"clock", native::granted("clock"), abi::right::read | abi::right::map | abi::right::inspect},
                                    {"programs", programs, served},
                                    {"sandboxes", sandboxes, served}};
    Log log;
    log.quota = TRY(native::own(call::quota_create(native::self().quota, pages)));
    native::LaunchRequest request;
    request.program = file.memory.get();
    request.program_bytes = file.size;
    request.quota = log.quota.get();
    request.budget = native::self().budget;
    request.grants = grants;
    request.arguments = std::as_bytes(std::span(arguments));
    log.process = TRY(native::launch(request));
    return log;
}

base::Result<void> run() {
    const native::RootImage root = TRY(native::RootImage::open(TRY(native::require("root_image"))));
    const native::FileMemory file = TRY(root.file("/bin/log"));
    const native::Owned programs = TRY(native::own(call::endpoint_create(native::self().quota)));
    const native::Owned sandboxes = TRY(native::own(call::endpoint_create(native::self().quota)));
    const native::Owned writer = TRY(native::own(native::duplicate(programs.get(), 0, 1)));
    const native::Owned reader = TRY(native::own(native::duplicate(programs.get(), 0, 2)));
    // One store for all of them: whoever comes next goes on with it, and has nothing to say of it.
    const native::Owned store = TRY(native::own(call::memory_create(native::self().quota, store_pages * abi::page_size, 0)));
    native::log::Client read(native::Caller{reader.get()});
    for (const std::string_view text : {"first life", "second life", "third life"}) {
        const Log log = TRY(start(file, programs.get(), sandboxes.get(), store.get()));
        native::write_line(writer.get(), text);
        const auto line = TRY(read.read({1}));
        CHECK(std::string_view(reinterpret_cast<const char*>(line.text.data()), line.text_length) == text);
        CHECK_ERROR(read.read({2}), not_found);
        CHECK(call::quota_destroy(log.quota.get()).has_value());
        // Nobody there: a line is lost and its writer goes on.
        native::write_line(writer.get(), "lost");
        CHECK_ERROR(read.read({1}, native::after_milliseconds(10)), timed_out);
    }
    return {};
}

} // namespace

int native_main() {
    CHECK(run().has_value());
    finish();
}
