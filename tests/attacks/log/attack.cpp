// A program of a node that has no right to the kernel's log, and tries to write lines in another's name; the argument `role` says which of the programs of the image
// files beside this one it plays. What came of it is on the serial port, and in the exit status.
#include <cstring>

#include "abi/log_client.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

namespace {

namespace call = native::call;

// Told by init as the exit status, whatever becomes of the lines.
constexpr int all_refused = 7, something_granted = 8;
constexpr abi::Deadline patience = 10 * native::nanoseconds_per_second;
constexpr unsigned flood = 1000;

// How many attempts to get more than its own name were granted.
unsigned grasp() {
    unsigned granted = 0;
    const abi::Handle mine = native::granted("log");
    // The victim's badge, and the reader's.
    for (const std::uint64_t badge : {1ull, 3ull})
        granted += call::handle_duplicate(mine, 0, badge, abi::no_handle).has_value();
    // The kernel's log, by the name that it has at init and by handles as tables give them out.
    constexpr std::string_view line = "victim: forged through the kernel\n";
    granted += call::log_write(mine, std::as_bytes(std::span(line))).has_value();
    for (std::uint64_t index = 0; index < 64; ++index)
        for (std::uint64_t generation = 0; generation < 8; ++generation)
            granted += call::log_write(generation << 32 | index, std::as_bytes(std::span(line))).has_value();
    // The log itself: reading, lengths past the words, an endpoint without a badge, the badges of programs on the endpoint of the sandboxes.
    const abi::Deadline deadline = native::monotonic_nanoseconds() + patience;
    native::log::Client client(native::Caller{mine});
    granted += client.read({1}, deadline).has_value();
    native::log::WriteRequest request;
    for (const std::uint32_t length : {257u, 4096u, UINT32_MAX}) {
        request.length = length;
        granted += client.write(request, deadline).has_value();
    }
    const abi::Handle sandboxes = native::granted("sandbox_log");
    request.length = 1;
    granted += native::log::Client(native::Caller{sandboxes}).write(request, deadline).has_value();
    if (const auto badged = call::handle_duplicate(sandboxes, 0, 3, abi::no_handle))
        granted += native::log::Client(native::Caller{*badged}).read({1}, deadline).has_value();
    return granted;
}

int attack() {
    for (const std::string_view text : {"victim: forged by its name", "honest\nvictim: forged by a newline", "\r\x1b[2K\x1b[1Gvictim: forged by a terminal",
                                        "\x9b" "2K\x85victim: forged by a byte above ASCII", "\n\nvictim: forged by two newlines\n"})
        native::print_line(text);
    const unsigned granted = grasp();
    // A sandbox that bears the victim's badge is a sandbox.
    if (const auto first = call::handle_duplicate(native::granted("sandbox_log"), 0, 1, abi::no_handle))
        native::write_line(*first, "victim: forged from a sandbox");
    native::print("granted ", granted);
    for (unsigned i = 0; i < flood; ++i)
        native::print("flood ", i);
    return granted == 0 ? all_refused : something_granted;
}

} // namespace

int native_main() {
    const std::string_view role = native::argument("role");
    if (role == "attacker")
        return attack();
    if (role == "victim")
        native::print("honest");
    for (unsigned i = 0; role == "talker" && i < 20; ++i)
        native::print("nobody hears ", i);
    return all_refused;
}
