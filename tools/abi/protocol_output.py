"""What clients and servers of a protocol get: message structs with their coding, a typed client, a server's skeleton."""

from language import has_optional, message_words
from text import HEAD, comment, pascal, scalar_type

CXX_KEYWORDS = ("switch", "new", "delete", "register", "union", "signed", "default", "export", "volatile", "operator")

MESSAGE = """// A message between a client and a server: what a transport carries.
#pragma once
#include "abi/thread_page.hpp"
#include "abi/types.hpp"
#include "lib/base/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace native {

// Words and capabilities as in abi/thread_page.hpp. A request's tag carries the message's number, a reply's tag 0 or the abi::Error.
// A transport is any type with `base::Result<void> call(Message&, abi::Deadline)`, which replaces the request by the reply.
struct Message {
    std::uint64_t tag = 0;
    std::uint64_t words[abi::message_words];
    abi::Handle handles[abi::message_handles];
    abi::Rights handle_rights[abi::message_handles]; // of a sent handle: a subset of the slot's, 0 is the same
};

// Fills a message in the order of an interface's fields.
class MessageWriter {
public:
    explicit MessageWriter(Message& message) : message_(message) {}

    void word(std::uint64_t value) { message_.words[words_++] = value; }
    template <std::size_t size> void bytes(const std::array<std::byte, size>& value) {
        if constexpr (size % 8 != 0)
            message_.words[words_ + size / 8] = 0;
        std::memcpy(message_.words + words_, value.data(), size);
        words_ += (size + 7) / 8;
    }
    // `rights`: 0 for all that the slot has.
    void handle(abi::Handle value, abi::Rights rights) {
        message_.handles[handles_] = value;
        message_.handle_rights[handles_++] = rights;
    }
    void finish(std::uint32_t number) { message_.tag = abi::make_tag(number, words_, handles_); }

private:
    Message& message_;
    std::size_t words_ = 0;
    std::size_t handles_ = 0;
};

// Takes a message apart. The sender is hostile: sizes are checked once by `expect`, values as they are read.
class MessageReader {
public:
    explicit MessageReader(const Message& message) : message_(message) {}

    // Errors: bad_argument.
    base::Result<void> expect(std::size_t words) const {
        if (abi::tag_words(message_.tag) != words || abi::tag_handles(message_.tag) > abi::message_handles)
            return std::unexpected(abi::Error::bad_argument);
        return {};
    }
    std::uint64_t word() { return message_.words[words_++]; }
    base::Result<std::uint32_t> u32() {
        const std::uint64_t value = word();
        if (value >> 32)
            return std::unexpected(abi::Error::bad_argument);
        return static_cast<std::uint32_t>(value);
    }
    base::Result<bool> boolean() {
        const std::uint64_t value = word();
        if (value > 1)
            return std::unexpected(abi::Error::bad_argument);
        return value == 1;
    }
    template <std::size_t size> std::array<std::byte, size> bytes() {
        std::array<std::byte, size> value;
        std::memcpy(value.data(), message_.words + words_, size);
        words_ += (size + 7) / 8;
        return value;
    }
    base::Result<abi::Handle> handle() {
        if (handles_ >= abi::tag_handles(message_.tag) || message_.handles[handles_] == abi::no_handle)
            return std::unexpected(abi::Error::bad_argument);
        return message_.handles[handles_++];
    }
    // All capabilities of the message must have been asked for.
    base::Result<void> finish() const {
        if (handles_ != abi::tag_handles(message_.tag))
            return std::unexpected(abi::Error::bad_argument);
        return {};
    }

private:
    const Message& message_;
    std::size_t words_ = 0;
    std::size_t handles_ = 0;
};

// What every server's skeleton asks of the server beside its messages.
class ProtocolServer {
public:
    // Closes a capability that came with a message which was refused.
    virtual void discard(abi::Handle handle) = 0;

protected:
    ~ProtocolServer() = default;
};

namespace detail {
inline void refuse(ProtocolServer& server, Message& message, abi::Error error) {
    const std::size_t count = abi::tag_handles(message.tag);
    for (std::size_t i = 0; i < count && i < abi::message_handles; ++i)
        if (message.handles[i] != abi::no_handle)
            server.discard(message.handles[i]);
    message.tag = abi::make_tag(static_cast<std::uint32_t>(error), 0, 0);
}
} // namespace detail

} // namespace native
"""


def namespace(interface):
    """The C++ namespace of an interface; a name that C++ keeps for itself gets an underscore."""
    return "native::" + interface.name + ("_" if interface.name in CXX_KEYWORDS else "")


def field_type(kind):
    if kind.category == "handle":
        return "abi::Handle"
    if kind.category == "bytes":
        return f"std::array<std::byte, {kind.size}>"
    return scalar_type(kind.name)


def struct(name, fields, lead):
    text = f"struct {name} {{\n"
    for item in fields:
        note = ""
        if item.type.category == "handle":
            kind = "of any kind" if item.type.name == "any" else item.type.name
            rights = f" with {', '.join(item.type.rights)}" if item.type.rights else ""
            note = f" // {kind}{rights}" + ("; abi::no_handle: absent" if item.type.optional else "")
        initial = "{}" if item.type.category == "bytes" else " = abi::no_handle" if item.type.category == "handle" else " = 0"
        if item.type.name == "bool":
            initial = " = false"
        text += f"    {field_type(item.type)} {item.name}{initial};{note}\n"
    return text + "};\n"


def encoder(name, fields, number):
    value = "value" if fields else ""
    text = f"inline void encode(const {name}& {value}, Message& message, std::uint32_t number = {number}) {{\n"
    text += "    MessageWriter writer(message);\n"
    handles = [item for item in fields if item.type.category == "handle"]
    if has_optional(fields):
        present = " | ".join(f"(value.{item.name} != abi::no_handle ? {1 << index}u : 0u)" for index, item in enumerate(handles))
        text += f"    writer.word({present});\n"
    for item in fields:
        if item.type.category == "bytes":
            text += f"    writer.bytes(value.{item.name});\n"
        elif item.type.category == "scalar":
            text += f"    writer.word(static_cast<std::uint64_t>(value.{item.name}));\n"
    for item in handles:
        text += (f"    if (value.{item.name} != abi::no_handle)\n    " if item.type.optional else "")
        rights = " | ".join(f"abi::right::{name}" for name in item.type.rights) or "0"
        text += f"    writer.handle(value.{item.name}, {rights});\n"
    return text + "    writer.finish(number);\n}\n"


def decoder(name, fields):
    text = "// Errors: bad_argument.\n"
    text += f"inline base::Result<{name}> decode_{snake(name)}(const Message& message) {{\n    MessageReader reader(message);\n"
    text += f"    TRY(reader.expect({message_words(fields)}));\n    {name} value;\n"
    handles = [item for item in fields if item.type.category == "handle"]
    if has_optional(fields):
        text += "    const std::uint64_t present = reader.word();\n"
    for item in fields:
        reads = {"u64": "reader.word()", "u32": "TRY(reader.u32())", "bool": "TRY(reader.boolean())",
                 "i64": "static_cast<std::int64_t>(reader.word())"}
        if item.type.category == "bytes":
            text += f"    value.{item.name} = reader.bytes<{item.type.size}>();\n"
        elif item.type.category == "scalar":
            text += f"    value.{item.name} = {reads[item.type.name]};\n"
    for index, item in enumerate(handles):
        if has_optional(fields):
            text += f"    if (present & {1 << index}u)\n    "
        text += f"    value.{item.name} = TRY(reader.handle());\n"
        if has_optional(fields) and not item.type.optional:
            text += f"    else\n        return std::unexpected(abi::Error::bad_argument);\n"
    if has_optional(fields):
        text += f"    if (present >> {len(handles)})\n        return std::unexpected(abi::Error::bad_argument);\n"
    return text + "    TRY(reader.finish());\n    return value;\n}\n"


def snake(name):
    return "".join("_" + letter.lower() if letter.isupper() and index else letter.lower() for index, letter in enumerate(name))


def messages(interface, source):
    text = HEAD.format(source=source) + comment(interface.doc)
    text += f'#pragma once\n#include "native/message.hpp"\n\nnamespace {namespace(interface)} {{\n\n'
    text += "enum class Number : std::uint32_t {\n"
    text += "".join(f"    {call.name} = {call.number},\n" for call in interface.calls) + "};\n"
    for call in interface.calls:
        request, reply = pascal(call.name) + "Request", pascal(call.name) + "Reply"
        text += "\n" + comment(call.doc) + comment(["Errors: " + (", ".join(call.errors) or "none") + "."])
        text += struct(request, call.inputs, call) + struct(reply, call.outputs, call)
        text += encoder(request, call.inputs, call.number) + decoder(request, call.inputs)
        text += encoder(reply, call.outputs, 0) + decoder(reply, call.outputs)
    return text + f"\n}} // namespace {namespace(interface)}\n"


def client(interface, source):
    text = HEAD.format(source=source) + f'#pragma once\n#include "abi/{interface.name}_messages.hpp"\n\n'
    text += "#include <utility>\n\n"
    text += f"namespace {namespace(interface)} {{\n\n"
    text += "// Typed calls over a transport (native/message.hpp). Errors of each: those of the message, those of ipc_call; broken for a malformed reply.\n"
    text += "template <class Transport> class Client {\npublic:\n    explicit Client(Transport transport) : transport_(std::move(transport)) {}\n"
    text += "    Transport& transport() { return transport_; }\n"
    for call in interface.calls:
        request, reply = pascal(call.name) + "Request", pascal(call.name) + "Reply"
        parameters = f"const {request}& request, " if call.inputs else ""
        text += "\n" + comment(call.doc, "    ")
        text += f"    base::Result<{reply}> {call.name}({parameters}abi::Deadline deadline = abi::never) {{\n"
        text += "        Message message;\n"
        text += f"        encode({'request' if call.inputs else request + '{}'}, message);\n        TRY(exchange(message, deadline));\n"
        text += f"        auto reply = decode_{snake(reply)}(message);\n"
        text += "        if (!reply)\n            return std::unexpected(abi::Error::broken);\n        return *reply;\n    }\n"
    text += """
private:
    base::Result<void> exchange(Message& message, abi::Deadline deadline) {
        TRY(transport_.call(message, deadline));
        if (const std::uint32_t error = abi::tag_message(message.tag); error != 0)
            return std::unexpected(static_cast<abi::Error>(error));
        return {};
    }
    Transport transport_;
};
"""
    return text + f"\n}} // namespace {namespace(interface)}\n"


def server(interface, source):
    text = HEAD.format(source=source) + f'#pragma once\n#include "abi/{interface.name}_messages.hpp"\n\n'
    text += f"namespace {namespace(interface)} {{\n\n"
    text += "// One method a message. `badge` tells who calls: it comes from the kernel and cannot be forged.\n"
    text += "class Server : public ProtocolServer {\npublic:\n"
    for call in interface.calls:
        request, reply = pascal(call.name) + "Request", pascal(call.name) + "Reply"
        text += comment(call.doc, "    ")
        text += f"    virtual base::Result<{reply}> {call.name}(std::uint64_t badge, const {request}& request) = 0;\n"
    text += "\nprotected:\n    ~Server() = default;\n};\n\n"
    text += "// Decodes a request, calls its method, and leaves the reply in `message`. Capabilities of a request that does not decode are discarded; those of\n"
    text += "// one that does belong to the method, whatever it answers.\n"
    text += "inline void serve(Server& server, std::uint64_t badge, Message& message) {\n    switch (static_cast<Number>(abi::tag_message(message.tag))) {\n"
    for call in interface.calls:
        request = pascal(call.name) + "Request"
        text += f"    case Number::{call.name}: {{\n        const auto request = decode_{snake(request)}(message);\n"
        text += "        if (!request)\n            return detail::refuse(server, message, request.error());\n"
        text += f"        const auto reply = server.{call.name}(badge, *request);\n"
        text += "        if (reply)\n            return encode(*reply, message);\n"
        text += "        message.tag = abi::make_tag(static_cast<std::uint32_t>(reply.error()), 0, 0);\n        return;\n    }\n"
    text += "    }\n    detail::refuse(server, message, abi::Error::unknown_call);\n}\n"
    return text + f"\n}} // namespace {namespace(interface)}\n"
