#include "servers/log/service.hpp"

#include <cstring>

#include "native/kernel_stubs.hpp"

namespace logging {

namespace {

// Errors: bad_argument, where the length is that of no line.
base::Result<std::string_view> text_of(const native::log::WriteRequest& request) {
    if (request.length > request.text.size())
        return base::fail(abi::Error::bad_argument);
    return std::string_view(reinterpret_cast<const char*>(request.text.data()), request.length);
}

} // namespace

base::Result<native::log::WriteReply> Programs::write(std::uint64_t badge, const native::log::WriteRequest& request) {
    TRY(journal_.write_program(badge, TRY(text_of(request)), now_()));
    return native::log::WriteReply{};
}

base::Result<native::log::ReadReply> Programs::read(std::uint64_t badge, const native::log::ReadRequest& request) {
    if (!reads(badge))
        return base::fail(abi::Error::denied);
    Line line;
    if (!journal_.kept().find(request.number, line))
        return base::fail(abi::Error::not_found);
    native::log::ReadReply reply;
    reply.number = line.number;
    reply.nanoseconds = line.nanoseconds;
    reply.writer_length = static_cast<std::uint32_t>(line.name_length);
    reply.text_length = static_cast<std::uint32_t>(line.text_length);
    std::memcpy(reply.writer.data(), line.name_bytes, line.name_length);
    std::memcpy(reply.text.data(), line.text_bytes, line.text_length);
    return reply;
}

base::Result<native::log::SealReply> Programs::seal(std::uint64_t badge, const native::log::SealRequest&) {
    if (!reads(badge))
        return base::fail(abi::Error::denied);
    const AuditHead head = audit_.seal();
    native::log::SealReply reply;
    reply.sequence = head.sequence;
    reply.digest = head.digest;
    return reply;
}

base::Result<native::log::StoreReply> Programs::store(std::uint64_t badge, const native::log::StoreRequest&) {
    if (!reads(badge))
        return base::fail(abi::Error::denied);
    if (audit_.memory() == abi::no_handle)
        return base::fail(abi::Error::not_found);
    return native::log::StoreReply{audit_.memory()};
}

base::Result<native::log::AuditStateReply> Programs::audit_state(std::uint64_t badge, const native::log::AuditStateRequest&) {
    if (!reads(badge))
        return base::fail(abi::Error::denied);
    native::log::AuditStateReply reply;
    reply.begun = audit_.begun();
    reply.dropped = audit_.dropped();
    reply.refusal = audit_.refusal() ? static_cast<std::uint32_t>(*audit_.refusal()) : 0;
    return reply;
}

// No request of this interface carries capabilities, so what comes with one is closed at once.
void Programs::discard(abi::Handle handle) { (void)native::call::handle_close(handle); }

base::Result<native::log::WriteReply> Sandboxes::write(std::uint64_t badge, const native::log::WriteRequest& request) {
    TRY(journal_.write_sandbox(badge, TRY(text_of(request)), now_()));
    return native::log::WriteReply{};
}

base::Result<native::log::ReadReply> Sandboxes::read(std::uint64_t, const native::log::ReadRequest&) { return base::fail(abi::Error::denied); }
base::Result<native::log::SealReply> Sandboxes::seal(std::uint64_t, const native::log::SealRequest&) { return base::fail(abi::Error::denied); }
base::Result<native::log::StoreReply> Sandboxes::store(std::uint64_t, const native::log::StoreRequest&) { return base::fail(abi::Error::denied); }
base::Result<native::log::AuditStateReply> Sandboxes::audit_state(std::uint64_t, const native::log::AuditStateRequest&) { return base::fail(abi::Error::denied); }

void Sandboxes::discard(abi::Handle handle) { (void)native::call::handle_close(handle); }

} // namespace logging
