#include "servers/store/service.hpp"

#include "abi/store.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/memory.hpp"

#include <algorithm>

namespace store {

namespace {

using abi::store::Message;
using abi::store::Tag;

constexpr std::uint16_t tag(Tag value) { return static_cast<std::uint16_t>(value); }

// No `duplicate` to begin with: the writer alone fills it, and gives it its size. The server reads and writes no blob itself. What is sealed may be handed on, mapped and executed by whoever has it.
constexpr abi::Rights writer_rights = abi::right::read | abi::right::write | abi::right::map | abi::right::inspect | abi::right::control;
constexpr abi::Rights reader_rights = abi::right::read | abi::right::map | abi::right::execute | abi::right::duplicate | abi::right::transfer | abi::right::inspect;

std::string_view reason_of(abi::Error error) {
    switch (error) {
    case abi::Error::not_found: return "the store has no such blob";
    case abi::Error::exists: return "the store has a blob with this key";
    case abi::Error::no_memory: return "the store is full";
    case abi::Error::no_slots: return "the store has too many blobs";
    default: return {};
    }
}

base::Result<Key> key_of(const native::ChannelRequest& request) {
    abi::TlvRecord record;
    if (!request.find(Tag::key, record))
        return base::fail(abi::Error::bad_argument);
    return parse_key(record.text());
}

} // namespace

void Service::on_request(native::ChannelRequest request) {
    base::Result<void> done = base::fail(abi::Error::unknown_call);
    switch (static_cast<Message>(request.message())) {
    case Message::blob_create: done = create(request); break;
    case Message::blob_commit: done = commit(request); break;
    case Message::blob_open: done = open(request); break;
    case Message::blob_remove: done = remove(request); break;
    case Message::blob_list: done = list(request); break;
    case Message::usage: done = usage(request); break;
    case Message::blob_drop: done = drop(request); break;
    }
    if (!done)
        request.refuse(done.error(), reason_of(done.error()), tag(Tag::reason));
}

base::Result<void> Service::create(native::ChannelRequest& request) {
    native::Owned memory = TRY(native::own(native::call::memory_create(quota_, abi::page_size, 0)));
    const abi::Handle handle = memory.get();
    const std::uint64_t number = TRY(catalogue_.begin(request.session(), std::move(memory)));
    auto writer = request.writer();
    writer.number(tag(Tag::blob), number);
    const native::ChannelRequest::Lent lent[] = {{handle, writer_rights}};
    request.answer(writer, lent);
    return {};
}

base::Result<void> Service::commit(native::ChannelRequest& request) {
    Blob<native::Owned> blob;
    blob.memory = TRY(catalogue_.take(request.session(), TRY(request.number(Tag::blob))));
    blob.key = TRY(key_of(request));
    blob.size = TRY(request.number(Tag::size));
    TRY(catalogue_.may_add(blob.key));
    if (blob.size == 0 || blob.size % abi::page_size != 0 || blob.size > TRY(native::memory_size(blob.memory.get())))
        return base::fail(abi::Error::bad_argument);
    TRY(native::call::memory_resize(blob.memory.get(), blob.size));
    TRY(native::call::memory_seal(blob.memory.get()));
    // The writer may have grown it again before the seal.
    if (TRY(native::memory_size(blob.memory.get())) != blob.size)
        return base::fail(abi::Error::bad_state);
    TRY(catalogue_.add(std::move(blob)));
    request.answer();
    return {};
}

base::Result<void> Service::drop(native::ChannelRequest& request) {
    (void)TRY(catalogue_.take(request.session(), TRY(request.number(Tag::blob))));
    request.answer();
    return {};
}

base::Result<void> Service::open(native::ChannelRequest& request) {
    const auto* const blob = catalogue_.find(TRY(key_of(request)));
    if (blob == nullptr)
        return base::fail(abi::Error::not_found);
    auto writer = request.writer();
    writer.number(tag(Tag::size), blob->size);
    const native::ChannelRequest::Lent lent[] = {{blob->memory.get(), reader_rights}};
    request.answer(writer, lent);
    return {};
}

base::Result<void> Service::remove(native::ChannelRequest& request) {
    if (!catalogue_.remove(TRY(key_of(request))))
        return base::fail(abi::Error::not_found);
    request.answer();
    return {};
}

base::Result<void> Service::list(native::ChannelRequest& request) {
    auto writer = request.writer();
    writer.number(tag(Tag::count), catalogue_.size());
    const std::uint64_t skip = std::min<std::uint64_t>(request.number(Tag::skip, 0), catalogue_.size());
    const std::uint64_t end = std::min<std::uint64_t>(skip + abi::store::list_most, catalogue_.size());
    for (std::uint64_t i = skip; i < end; ++i) {
        const auto key = key_text(catalogue_[i].key);
        writer.text(tag(Tag::key), {key.data(), key.size()});
        writer.number(tag(Tag::size), catalogue_[i].size);
    }
    request.answer(writer);
    return {};
}

base::Result<void> Service::usage(native::ChannelRequest& request) {
    abi::QuotaInfo info{};
    TRY(native::call::quota_inspect(quota_, info));
    auto writer = request.writer();
    writer.number(tag(Tag::capacity), info.limit_pages * abi::page_size);
    writer.number(tag(Tag::used), info.used_pages * abi::page_size);
    request.answer(writer);
    return {};
}

} // namespace store
