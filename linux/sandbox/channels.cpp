#include "linux/sandbox/channels.hpp"

#include "abi/channel_client.hpp"
#include "abi/channel_message.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/log.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/start.hpp"
#include "lib/native/thread.hpp"
#include "linux/core/lock.hpp"
#include "linux/fs/memory_file.hpp"
#include "linux/fs/operations.hpp"
#include "linux/fs/root.hpp"
#include "linux/ipc/unix_socket.hpp"
#include "linux/sandbox/stream_file.hpp"
#include "linux/task/task.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace personality {

namespace {

constexpr std::size_t path_offset = 2; // sun_path in sockaddr_un
constexpr std::uint32_t open_read_write = 2;

// A thread of the personality that waits as a program's thread does, so it needs a task; the process has no number and is in no table.
base::Ref<Process> service_process() {
    static constinit Process* process = nullptr;
    if (process == nullptr) {
        process = new (std::nothrow) Process(0);
        auto* fs = new (std::nothrow) FsContext;
        auto* actions = new (std::nothrow) SignalActions;
        if (process == nullptr || fs == nullptr || actions == nullptr)
            native::panic("no memory for the channels");
        process->fs = base::Ref<FsContext>::adopt(*fs);
        process->actions = base::Ref<SignalActions>::adopt(*actions);
        fs->root = fs->current = sandbox_mounts().root();
    }
    return base::Ref<Process>(*process);
}

struct Service {
    abi::Handle endpoint;
    base::Ref<File> socket; // listening, or one connection
    Task* task = nullptr;
};

bool start_service(void (*entry)(void*), abi::Handle endpoint, base::Ref<File> socket) {
    auto* task = new (std::nothrow) Task(0, service_process());
    auto* service = new (std::nothrow) Service{endpoint, std::move(socket), task};
    if (task == nullptr || service == nullptr)
        return false;
    native::ThreadOptions options;
    options.user = task;
    return native::start_thread(entry, service, options).has_value();
}

// Sandbox lock held at the call; frees what start_service made.
[[noreturn]] void end_service(Service* service) {
    Task* const task = service->task;
    {
        const SandboxLock lock;
        delete service;
        task->release();
    }
    native::leave_thread();
}

using Client = native::channel::Client<native::Caller>;

// One request of a program: its bytes are in `buffer` already.
LinuxResult<void> exchange(Client& client, std::uint64_t session, const native::Mapping& buffer, std::size_t length, FileBundle& files, SendRequest& answer) {
    native::Owned handles[abi::channel_handles];
    if (files.size() > abi::channel_handles)
        return fail(Errno::EINVAL);
    {
        const SandboxLock lock;
        for (std::size_t i = 0; i < files.size(); ++i) {
            const abi::Handle memory = TRY(memory_of_file(*files[i]));
            auto copy = native::call::handle_duplicate(memory, 0, 0, abi::no_handle);
            if (!copy)
                return fail(Errno::EIO);
            handles[i] = native::Owned(*copy);
        }
        files.clear();
    }
    auto reply = client.request({session, length, handles[0].get(), handles[1].get(), handles[2].get(), handles[3].get()});
    if (!reply)
        return fail(Errno::EIO);
    native::Owned received[abi::channel_handles] = {native::Owned(reply->handle0), native::Owned(reply->handle1), native::Owned(reply->handle2), native::Owned(reply->handle3)};
    if (reply->length > abi::channel_buffer_bytes)
        return fail(Errno::EIO);
    answer.data = buffer.bytes().first(reply->length);
    const SandboxLock lock;
    if (reply->stream != 0) {
        const ring::Handles ring{received[0].release(), received[1].release(), received[2].release()};
        return answer.files.add(TRY(StreamFile::attach(ring, ring::Side::b, open_read_write)));
    }
    for (native::Owned& handle : received) {
        if (!handle)
            continue;
        const auto size = native::memory_size(handle.get());
        abi::HandleInfo info{};
        if (!size || !native::call::handle_inspect(handle.get(), info))
            return fail(Errno::EIO);
        const bool writable = (info.rights & abi::right::write) != 0;
        TRY(answer.files.add(TRY(adopt_memory_file("channel", handle.release(), *size, writable))));
    }
    return {};
}

// Serves one connection until either side hangs up.
void converse(Service& service) {
    UnixSocket& socket = static_cast<UnixSocket&>(*service.socket);
    Client client(native::Caller{service.endpoint});
    auto opened = client.open();
    if (!opened)
        return;
    const native::Owned memory(opened->buffer);
    const auto buffer = native::Mapping::of(memory.get(), 0, abi::channel_buffer_bytes, abi::protection::read | abi::protection::write);
    while (buffer) {
        ReceiveRequest request;
        request.data = buffer->bytes().first(abi::channel_buffer_bytes);
        LinuxResult<std::size_t> length;
        {
            const SandboxLock lock;
            length = socket.receive(request);
        }
        // An empty message is the end of the connection; a cut one breaks the protocol.
        if (!length || *length == 0 || (request.result_flags & message_flag::truncated) != 0)
            break;
        SendRequest answer;
        const auto exchanged = exchange(client, opened->session, *buffer, *length, request.files, answer);
        const SandboxLock lock;
        request.files.clear();
        const auto sent = exchanged ? socket.send(answer) : LinuxResult<std::size_t>(fail(exchanged.error()));
        answer.files.clear();
        if (!sent)
            break;
    }
    (void)client.close({opened->session});
}

void run_connection(void* argument) {
    auto* service = static_cast<Service*>(argument);
    converse(*service);
    end_service(service);
}

void run_listener(void* argument) {
    auto* service = static_cast<Service*>(argument);
    UnixSocket& socket = static_cast<UnixSocket&>(*service->socket);
    for (;;) {
        SandboxLock lock;
        SocketAddress peer;
        auto connection = socket.accept(peer, open_read_write);
        if (connection && !start_service(run_connection, service->endpoint, std::move(*connection)))
            native::print("no memory for a channel's connection");
    }
}

LinuxResult<void> listen(std::string_view name, abi::Handle endpoint) {
    SocketAddress address;
    const std::uint16_t family = address_family::local;
    std::memcpy(address.bytes.data(), &family, sizeof family);
    auto* const path = reinterpret_cast<char*>(address.bytes.data()) + path_offset;
    const std::string_view whole = base::format(std::span(path, address.bytes.size() - path_offset - 1), "/run/themelios/", name);
    address.length = static_cast<std::uint32_t>(path_offset + whole.size() + 1);
    const SandboxLock lock;
    auto file = TRY(UnixSocket::make(socket_type::sequential, 0, open_read_write));
    auto& socket = static_cast<UnixSocket&>(*file);
    TRY(socket.bind(address));
    TRY(socket.listen(64));
    if (!start_service(run_listener, endpoint, std::move(file)))
        return fail(Errno::ENOMEM);
    return {};
}

} // namespace

LinuxResult<void> start_channels() {
    constexpr std::string_view prefix = "channel.";
    // This thread walks paths and waits as a task does, too; it goes on to serve runtime's commands, on files of an image that it did not choose.
    auto* task = new (std::nothrow) Task(0, service_process());
    if (task == nullptr)
        return fail(Errno::ENOMEM);
    native::current_thread().user = task;
    bool any = false;
    const abi::StartInfo& info = native::start_info();
    for (std::uint32_t i = 0; i < info.handle_count; ++i) {
        const abi::StartHandle& handle = info.handles()[i];
        const std::string_view name(handle.name, strnlen(handle.name, sizeof handle.name));
        if (!name.starts_with(prefix))
            continue;
        if (!any) {
            const SandboxLock lock;
            const Location root = sandbox_mounts().root();
            const PathContext context{sandbox_mounts(), root, root, {}};
            for (const std::string_view path : {"/run", "/run/themelios"})
                if (auto made = make_node(context, root, path, {mode::directory | 0755, 0, 0}); !made && made.error() != Errno::EEXIST)
                    return made;
            any = true;
        }
        TRY(listen(name.substr(prefix.size()), handle.handle));
    }
    return {};
}

} // namespace personality
