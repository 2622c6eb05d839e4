// The Docker Engine API of the node.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <malloc.h>
#include <pthread.h>

#include <boost/asio/ip/tcp.hpp>

#include "services/common/channel.hpp"
#include "services/common/log.hpp"
#include "services/common/text.hpp"
#include "services/engine/engine.hpp"
#include "services/images/open_store.hpp"

namespace {

using namespace engine;

constexpr std::size_t most_connections = 1024;
constexpr std::size_t worker_count = 4;
constexpr std::size_t thread_stack = 512 << 10;

struct Options {
    std::string address = "0.0.0.0";
    std::uint16_t port = 2375;
    std::vector<std::string> archives; // loaded at start
};

[[noreturn]] void usage(const std::string& why) {
    services::log_line(why + "; usage: engine [--address IPV4] [--port NUMBER] [ARCHIVE...]");
    std::exit(2);
}

Options parse_options(int count, char** words) {
    Options options;
    for (int at = 1; at < count; ++at) {
        const std::string word = words[at];
        auto value = [&]() -> std::string {
            if (++at == count) usage(word + " needs a value");
            return words[at];
        };
        if (word == "--address") {
            options.address = value();
        } else if (word == "--port") {
            const auto number = services::parse_number(value());
            if (!number || *number > 65535) usage("not a port");
            options.port = static_cast<std::uint16_t>(*number);
        } else if (word.starts_with("-")) {
            usage("unknown option " + word);
        } else {
            options.archives.push_back(word);
        }
    }
    return options;
}

void load_archives(images::ImageStore& images, const std::vector<std::string>& archives) {
    for (const std::string& path : archives) {
        try {
            std::ifstream file(path, std::ios::binary);
            if (!file) throw std::runtime_error(std::strerror(errno));
            const auto names = images.load([&](char* buffer, std::size_t size) {
                file.read(buffer, static_cast<std::streamsize>(size));
                return static_cast<std::size_t>(file.gcount());
            });
            for (const std::string& name : names) services::log_line("loaded " + name);
        } catch (const std::exception& error) {
            services::log_line("cannot load " + path + ": " + error.what());
        }
    }
}

Task<> accept_connections(Engine& engine, Tcp::acceptor& acceptor) {
    std::size_t open = 0;
    for (;;) {
        ErrorCode error;
        Tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(use_awaitable, error));
        if (error) {
            // Out of descriptors, or the client has given up.
            services::log_line("accept: " + error.message());
            if (error == asio::error::no_descriptors && engine.waits.end_longest()) {
                co_await asio::post(engine.io, use_awaitable); // its socket closes
                continue;
            }
            asio::steady_timer pause(engine.io, std::chrono::milliseconds(100));
            co_await pause.async_wait(use_awaitable);
            continue;
        }
        if (open >= most_connections && !engine.waits.end_longest()) {
            services::log_line("too many connections: one is refused");
            continue;
        }
        ++open;
        asio::co_spawn(engine.io,
                       serve_connection(engine.io, engine.audit_heads, engine.waits, std::move(socket),
                                        [&engine](Exchange& exchange) { return handle_request(engine, exchange); }),
                       [&open](std::exception_ptr) { --open; });
    }
}

int run(const Options& options) {
    if (services::channel_exists("runtime"))
        services::Session("runtime").call(static_cast<std::uint32_t>(abi::runtime::Message::begin), services::Request());
    auto images = images::open_store();
    load_archives(*images, options.archives);
    asio::io_context io(1);
    Engine engine(io, *images, worker_count);
    engine.node_id = services::random_hexadecimal(16);
    Tcp::acceptor acceptor(io, Tcp::endpoint(asio::ip::make_address_v4(options.address), options.port));
    listen_for_events(
        io, [&engine](const abi::runtime::EventRecord& event) { engine.containers.on_event(event); },
        [&engine] { engine.containers.on_runtime_lost(); });
    asio::co_spawn(io, accept_connections(engine, acceptor),
                   [](std::exception_ptr failure) { std::rethrow_exception(failure); });
    services::log_line("the Docker API answers on port " + std::to_string(acceptor.local_endpoint().port()));
    io.run();
    return 1;
}

} // namespace

int main(int count, char** words) {
    services::set_log_name("engine");
    std::signal(SIGPIPE, SIG_IGN);
    // Few threads, little memory: one heap, small stacks.
    ::mallopt(M_ARENA_MAX, 1);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, thread_stack);
    ::pthread_setattr_default_np(&attributes);
    try {
        return run(parse_options(count, words));
    } catch (const std::exception& error) {
        services::log_line(std::string("ended: ") + error.what());
        return 1;
    }
}
