#include "lib/native/log.hpp"

#include <atomic>
#include <cstring>
#include <iterator>

#include "abi/log_client.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/start.hpp"
#include "lib/native/thread_block.hpp"

namespace native {

namespace {

// A server that was silent once is not waited for like that again until it answers.
constexpr std::uint64_t patience_milliseconds = 1000, patience_with_silence_milliseconds = 10;

constinit abi::Handle target = abi::no_handle;
constinit bool is_kernel_log = false;
constinit std::atomic<bool> is_silent{false};

} // namespace

void log_start() {
    target = granted("log");
    abi::HandleInfo info{};
    if (target != abi::no_handle && call::handle_inspect(target, info))
        is_kernel_log = info.kind == static_cast<std::uint32_t>(abi::ObjectKind::audit_log);
}

void print_line(std::string_view line) {
    if (target == abi::no_handle)
        return;
    if (!is_kernel_log)
        return write_line(target, line);
    char buffer[log_line_bytes + 1];
    const std::string_view view = base::format(buffer, line.substr(0, log_line_bytes), '\n');
    (void)call::log_write(target, std::as_bytes(std::span(view.data(), view.size())));
}

void write_line(abi::Handle server, std::string_view line) {
    if (server == abi::no_handle || clock_page() == nullptr)
        return;
    line = line.substr(0, log_line_bytes);
    log::WriteRequest request;
    request.length = static_cast<std::uint32_t>(line.size());
    std::memcpy(request.text.data(), line.data(), line.size());
    // A reply may be pending in the page of this thread: it is put back as it was.
    const std::uint64_t kept = current_thread().page->reserved[0];
    log::Client client(Caller{server});
    const bool was_silent = is_silent.load(std::memory_order_relaxed);
    const auto written = client.write(request, after_milliseconds(was_silent ? patience_with_silence_milliseconds : patience_milliseconds));
    current_thread().page->reserved[0] = kept;
    is_silent.store(!written && written.error() == abi::Error::timed_out, std::memory_order_relaxed);
    // The kick was meant for what the thread does next.
    if (!written && written.error() == abi::Error::canceled && current_thread().handle != abi::no_handle)
        (void)call::thread_kick(current_thread().handle);
}

const char* error_name(abi::Error error) {
    static constexpr const char* names[] = {"no error",    "bad handle", "wrong kind",  "missing right", "revoked",     "bad argument", "bad pointer", "no memory",
                                            "no slots",    "exists",     "not found",   "bad state",     "timed out",   "canceled",     "peer closed", "would block",
                                            "too large",   "unknown call", "not supported", "changed",   "denied",      "broken",       "i/o error",   "overflow"};
    const auto index = static_cast<std::size_t>(error);
    return index < std::size(names) ? names[index] : "unknown error";
}

} // namespace native
