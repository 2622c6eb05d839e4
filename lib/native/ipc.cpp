#include "lib/native/ipc.hpp"

#include <algorithm>

#include "lib/native/kernel.hpp"
#include "lib/native/thread_block.hpp"

namespace native {

// The part of a message that the kernel passes in registers. The layout is known to entry.S.
struct MessageRegisters {
    std::uint64_t tag;
    std::uint64_t badge; // in: the deadline; out: the badge
    std::uint64_t words[abi::message_register_words];
};

extern "C" std::int64_t native_ipc(std::uint64_t number, abi::Handle handle, MessageRegisters* message);

namespace {

std::int64_t exchange(abi::KernelCall call, abi::Handle handle, MessageRegisters& registers) {
    return native_ipc(static_cast<std::uint64_t>(call), handle, &registers);
}

base::Result<void> checked(std::int64_t status) {
    if (status < 0) [[unlikely]]
        return std::unexpected(static_cast<abi::Error>(-status));
    return {};
}

void load(const Message& message, MessageRegisters& registers) {
    registers.tag = message.tag;
    const std::size_t words = std::min(abi::tag_words(message.tag), abi::message_words);
    for (std::size_t i = 0; i < abi::message_register_words; ++i)
        registers.words[i] = i < words ? message.words[i] : 0;
    abi::MessageArea& area = current_thread().page->message;
    for (std::size_t i = abi::message_register_words; i < words; ++i)
        area.words[i - abi::message_register_words] = message.words[i];
    for (std::size_t i = 0; i < std::min(abi::tag_handles(message.tag), abi::message_handles); ++i) {
        area.handles[i] = message.handles[i];
        area.handle_rights[i] = message.handle_rights[i];
    }
}

void store(const MessageRegisters& registers, Message& message) {
    message.tag = registers.tag;
    const std::size_t words = std::min(abi::tag_words(registers.tag), abi::message_words);
    for (std::size_t i = 0; i < abi::message_register_words; ++i)
        message.words[i] = registers.words[i];
    const abi::MessageArea& area = current_thread().page->message;
    for (std::size_t i = abi::message_register_words; i < words; ++i)
        message.words[i] = area.words[i - abi::message_register_words];
    for (std::size_t i = 0; i < std::min(abi::tag_handles(registers.tag), abi::message_handles); ++i) {
        message.handles[i] = area.handles[i];
        message.handle_rights[i] = 0;
    }
}

Incoming incoming(const MessageRegisters& registers) { return {current_thread().page->reserved[0], registers.badge}; }

} // namespace

base::Result<void> send_call(abi::Handle endpoint, Message& message, abi::Deadline deadline) {
    MessageRegisters registers;
    load(message, registers);
    registers.badge = deadline;
    TRY(checked(exchange(abi::KernelCall::ipc_call, endpoint, registers)));
    store(registers, message);
    return {};
}

base::Result<Incoming> receive(abi::Handle endpoint, Message& message, abi::Deadline deadline) {
    MessageRegisters registers{};
    registers.badge = deadline;
    TRY(checked(exchange(abi::KernelCall::ipc_receive, endpoint, registers)));
    store(registers, message);
    return incoming(registers);
}

base::Result<void> deliver(abi::Handle reply, const Message& message) {
    MessageRegisters registers;
    load(message, registers);
    auto result = checked(exchange(abi::KernelCall::ipc_reply, reply, registers));
    if (!result && result.error() != abi::Error::peer_closed)
        (void)call::handle_close(reply);
    return result;
}

base::Result<void> answer(abi::Handle reply, const Message& message) {
    auto result = deliver(reply, message);
    if (!result && result.error() == abi::Error::peer_closed)
        return {};
    return result;
}

base::Result<Incoming> answer_and_receive(abi::Handle reply, abi::Handle endpoint, Message& message, abi::Deadline deadline) {
    MessageRegisters registers;
    load(message, registers);
    registers.badge = deadline;
    current_thread().page->reserved[0] = reply;
    TRY(checked(exchange(abi::KernelCall::ipc_reply_receive, endpoint, registers)));
    store(registers, message);
    return incoming(registers);
}

void close_handles(const Message& message) {
    for (std::size_t i = 0; i < std::min(abi::tag_handles(message.tag), abi::message_handles); ++i)
        if (message.handles[i] != abi::no_handle)
            (void)call::handle_close(message.handles[i]);
}

} // namespace native
