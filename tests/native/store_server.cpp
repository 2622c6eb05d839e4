// The store from /bin/store of the root image, with this program in the place of init and of two clients: what is committed never changes, what is not goes with its session,
// a full store says so.
#include "tests/native/check.hpp"

#include "abi/channel_client.hpp"
#include "abi/channel_message.hpp"
#include "abi/store.hpp"
#include "abi/tlv.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/launch.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/root_image.hpp"

#include <cstring>

using namespace test;

namespace {

namespace call = native::call;
using abi::store::Message;
using abi::store::Tag;

constexpr std::uint64_t pages = 16 * 1024 * 1024 / abi::page_size + 64; // 64 for blobs
constexpr std::string_view key("sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
constexpr std::string_view other_key("sha256:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");

class Client {
public:
    static base::Result<Client> open(abi::Handle endpoint) {
        Client made(endpoint);
        const auto opened = TRY(made.client_.open());
        made.session_ = opened.session;
        made.memory_ = native::Owned(opened.buffer);
        made.buffer_ = TRY(native::Mapping::of(opened.buffer, 0, abi::channel_buffer_bytes, abi::protection::read | abi::protection::write));
        return made;
    }
    base::Result<void> close() {
        TRY(client_.close({session_}));
        return {};
    }

    // A request under construction.
    abi::TlvWriter begin() const { return abi::TlvWriter(buffer_.bytes().subspan(sizeof(abi::ChannelHeader))); }
    // The refusal is the error.
    base::Result<void> send(Message message, const abi::TlvWriter& writer) {
        const abi::ChannelHeader header{static_cast<std::uint32_t>(message), 0};
        std::memcpy(buffer_.data(), &header, sizeof header);
        const auto reply = TRY(client_.request({session_, sizeof header + writer.written().size()}));
        length_ = reply.length;
        handle_ = native::Owned(reply.handle0);
        abi::ChannelHeader answer;
        std::memcpy(&answer, buffer_.data(), sizeof answer);
        return answer.status == 0 ? base::Result<void>() : base::fail(static_cast<abi::Error>(-answer.status));
    }
    base::Result<void> send(Message message) { return send(message, begin()); }
    base::Result<void> send_key(Message message, std::string_view text) {
        abi::TlvWriter writer = begin();
        writer.text(static_cast<std::uint16_t>(Tag::key), text);
        return send(message, writer);
    }
    base::Result<void> commit(std::uint64_t blob, std::string_view text, std::uint64_t size) {
        abi::TlvWriter writer = begin();
        writer.number(static_cast<std::uint16_t>(Tag::blob), blob);
        writer.text(static_cast<std::uint16_t>(Tag::key), text);
        writer.number(static_cast<std::uint16_t>(Tag::size), size);
        return send(Message::blob_commit, writer);
    }

    std::uint64_t number(Tag tag) const {
        abi::TlvReader reader(buffer_.bytes().subspan(sizeof(abi::ChannelHeader), length_ - sizeof(abi::ChannelHeader)));
        abi::TlvRecord record;
        while (reader.next(record))
            if (record.tag == static_cast<std::uint16_t>(tag))
                return record.number();
        return 0;
    }
    native::Owned take_handle() { return std::move(handle_); }
    std::uint64_t used() { return send(Message::usage) ? number(Tag::used) : 0; }

private:
    explicit Client(abi::Handle endpoint) : client_(native::Caller{endpoint}) {}
    native::channel::Client<native::Caller> client_;
    std::uint64_t session_ = 0, length_ = 0;
    native::Owned memory_, handle_;
    native::Mapping buffer_;
};

bool holds(abi::Handle memory, char expected) {
    char found = 0;
    return call::memory_read(memory, abi::page_size, std::as_writable_bytes(std::span(&found, 1))) && found == expected;
}

base::Result<void> write(abi::Handle memory, char value) { return call::memory_write(memory, abi::page_size, std::as_bytes(std::span(&value, 1))); }

base::Result<void> committed_is_immutable(Client& client) {
    TRY(client.send(Message::blob_create));
    const std::uint64_t blob = client.number(Tag::blob);
    const native::Owned writer = client.take_handle();
    CHECK(call::memory_resize(writer.get(), 3 * abi::page_size).has_value());
    CHECK(write(writer.get(), 'a').has_value());
    CHECK_ERROR(client.commit(blob + 1, key, 2 * abi::page_size), not_found);
    CHECK(client.commit(blob, key, 2 * abi::page_size).has_value());
    CHECK_ERROR(client.commit(blob, other_key, 2 * abi::page_size), not_found);
    CHECK_ERROR(write(writer.get(), 'b'), bad_state);
    CHECK_ERROR(call::memory_resize(writer.get(), abi::page_size), bad_state);
    CHECK_ERROR(native::Mapping::of(writer.get(), 0, abi::page_size, abi::protection::read | abi::protection::write), bad_state);

    TRY(client.send_key(Message::blob_open, key));
    CHECK(client.number(Tag::size) == 2 * abi::page_size);
    const native::Owned reader = client.take_handle();
    CHECK(holds(reader.get(), 'a'));
    CHECK(TRY(native::memory_size(reader.get())) == 2 * abi::page_size);
    CHECK_ERROR(write(reader.get(), 'b'), missing_right);
    TRY(client.send(Message::blob_list));
    CHECK(client.number(Tag::count) == 1);

    // A second blob for the key goes; the first stays.
    TRY(client.send(Message::blob_create));
    CHECK_ERROR(client.commit(client.number(Tag::blob), key, abi::page_size), exists);
    // Removed, it is good for who has it.
    CHECK(client.send_key(Message::blob_remove, key).has_value());
    CHECK_ERROR(client.send_key(Message::blob_open, key), not_found);
    CHECK(holds(reader.get(), 'a'));
    return {};
}

base::Result<void> refuses_nonsense(Client& client) {
    for (const std::string_view text : {std::string_view(), key.substr(1), key.substr(0, 70)}) {
        CHECK_ERROR(client.send_key(Message::blob_open, text), bad_argument);
        CHECK_ERROR(client.send_key(Message::blob_remove, text), bad_argument);
    }
    CHECK_ERROR(client.send(Message::blob_open), bad_argument);
    CHECK_ERROR(client.send(static_cast<Message>(99)), unknown_call);
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, 2 * abi::page_size, ~std::uint64_t{0}}) {
        TRY(client.send(Message::blob_create));
        CHECK_ERROR(client.commit(client.number(Tag::blob), key, size), bad_argument);
    }
    TRY(client.send(Message::blob_list));
    CHECK(client.number(Tag::count) == 0);
    return {};
}

base::Result<void> sessions_own_what_they_write(Client& client, abi::Handle endpoint) {
    const std::uint64_t before = client.used();
    Client other = TRY(Client::open(endpoint));
    TRY(other.send(Message::blob_create));
    const std::uint64_t blob = other.number(Tag::blob);
    native::Owned writer = other.take_handle();
    CHECK(write(writer.get(), 'a').error() == abi::Error::bad_argument);
    CHECK(call::memory_resize(writer.get(), 8 * abi::page_size).has_value());
    CHECK(write(writer.get(), 'a').has_value());
    CHECK_ERROR(client.commit(blob, key, abi::page_size), not_found);
    CHECK(client.used() > before);
    // More than there is room for: the pages are charged as they come to be.
    CHECK(call::memory_resize(writer.get(), 1024 * abi::page_size).has_value());
    base::Result<void> filled;
    for (std::uint64_t page = 0; page < 1024 && filled; ++page)
        filled = call::memory_write(writer.get(), page * abi::page_size, std::as_bytes(std::span("x", 1)));
    CHECK_ERROR(filled, no_memory);
    CHECK(client.used() <= pages * abi::page_size);
    writer.reset();
    CHECK(other.close().has_value());
    CHECK(client.used() == before);
    return {};
}

base::Result<void> run() {
    const native::RootImage root = TRY(native::RootImage::open(TRY(native::require("root_image"))));
    const native::FileMemory file = TRY(root.file("/bin/store"));
    const native::Owned endpoint = TRY(native::own(call::endpoint_create(native::self().quota)));
    const native::Owned badged = TRY(native::own(native::duplicate(endpoint.get(), 0, 1)));
    const native::Grant grants[] = {{"store", endpoint.get(), abi::right::receive | abi::right::bind | abi::right::inspect}};
    const native::Owned quota = TRY(native::own(call::quota_create(native::self().quota, pages)));
    native::LaunchRequest request;
    request.program = file.memory.get();
    request.program_bytes = file.size;
    request.quota = quota.get();
    request.budget = native::self().budget;
    request.grants = grants;
    const native::LaunchedProcess process = TRY(native::launch(request));
    Client client = TRY(Client::open(badged.get()));
    CHECK(committed_is_immutable(client).has_value());
    CHECK(refuses_nonsense(client).has_value());
    CHECK(sessions_own_what_they_write(client, badged.get()).has_value());
    CHECK(call::quota_destroy(quota.get()).has_value());
    return {};
}

} // namespace

int native_main() {
    CHECK(run().has_value());
    finish();
}
