// /containers/ID/attach and /containers/ID/logs
#include <algorithm>

#include <boost/asio/write.hpp>

#include "services/common/text.hpp"
#include "services/engine/engine.hpp"

namespace engine {

namespace {

constexpr ApiVersion multiplexed_version{1, 42};
constexpr auto linger = std::chrono::seconds(30);

const char* stream_type(const Container& container, const Target& target) {
    return container.spec.terminal || target.version < multiplexed_version
               ? "application/vnd.docker.raw-stream"
               : "application/vnd.docker.multiplexed-stream";
}

std::string log_text(const LogLine& line, bool framed, bool timestamps) {
    std::string text = timestamps ? services::format_time(line.time) + " " + line.text : line.text;
    return framed ? frame_head(line.stream, text.size()) + text : text;
}

// The way from the client to the container's standard input. Shared by the coroutine that reads the client and the one
// that ends the exchange.
struct Input {
    bool done = false;
};

Task<> write_input(const ContainerPointer& container, std::string_view bytes) {
    while (!bytes.empty()) {
        // Before the start the bytes wait here; after the end nobody wants them.
        const auto exits = container->exits;
        while (!container->run && !container->removed && container->exits == exits) co_await container->changed.wait();
        const auto run = container->run;
        if (!run || !run->input_open) co_return;
        ErrorCode error;
        co_await asio::async_write(run->input, asio::buffer(bytes.data(), bytes.size()),
                                   asio::redirect_error(use_awaitable, error));
        co_return;
    }
}

Task<> read_client(ContainerPointer container, Exchange& exchange, bool input, std::shared_ptr<Subscriber> subscriber,
                   std::shared_ptr<Input> state, asio::io_context& io) {
    std::string piece(64 << 10, '\0');
    auto& early = exchange.early();
    if (early.size() > 0 && input) {
        const std::string bytes(static_cast<const char*>(early.data().data()), early.size());
        early.consume(early.size());
        co_await write_input(container, bytes);
    }
    ErrorCode error;
    while (!error) {
        const std::size_t count =
            co_await exchange.socket().async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, error));
        if (!error && input && !subscriber->closed()) co_await write_input(container, {piece.data(), count});
    }
    const bool half_closed = error == asio::error::eof;
    if (input && container->spec.stdin_once && !container->spec.terminal && !subscriber->closed()) {
        // End of file for the program, also where it has not been started yet.
        const auto exits = container->exits;
        while (!container->run && !container->removed && container->exits == exits && !subscriber->closed())
            co_await container->changed.wait();
        if (const auto run = container->run) {
            ErrorCode ignored;
            run->input_open = false;
            run->input.close(ignored);
        }
    }
    // A client that only half-closed still reads; one that broke does not.
    if (!half_closed) subscriber->close();
    state->done = true;
    container->changed.notify();
}

} // namespace

Task<> answer_container_attach(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const Target& target = exchange.target();
    co_await exchange.body();
    const bool framed = !container->spec.terminal;
    const bool standard_output = target.flag("stdout");
    const bool standard_error = target.flag("stderr");
    const bool input = target.flag("stdin") && container->spec.open_stdin;
    const bool stream = target.flag("stream");
    if (container->state == State::removing)
        throw ApiError(409, "container " + container->id + " is marked for removal");

    auto subscriber = std::make_shared<Subscriber>(engine.io, standard_output, standard_error, framed);
    // What is kept until now; all that follows goes to the subscriber.
    std::string kept;
    if (target.flag("logs"))
        for (auto line = container->log.from(0); line != nullptr; line = container->log.from(line->sequence + 1))
            if (line->stream == OutputStream::standard_error ? standard_error : standard_output)
                kept += log_text(*line, framed, false);
    if (stream)
        container->subscribers.push_back(subscriber);
    else
        subscriber->close();
    auto state = std::make_shared<Input>();
    std::exception_ptr failure;
    try {
        co_await exchange.hijack(stream_type(*container, target));
        engine.containers.publish(*container, "attach");
        asio::co_spawn(engine.io, read_client(container, exchange, input, subscriber, state, engine.io),
                       asio::detached);
        auto& socket = exchange.socket();
        co_await asio::async_write(socket, asio::buffer(kept), use_awaitable);
        for (;;) {
            const std::string bytes = co_await subscriber->take();
            if (bytes.empty()) break;
            co_await asio::async_write(socket, asio::buffer(bytes), use_awaitable);
        }
    } catch (...) {
        failure = std::current_exception();
    }
    subscriber->close();
    std::erase(container->subscribers, subscriber);
    ErrorCode ignored;
    auto& socket = exchange.socket();
    // The client sees the end of the output, and ends its side in turn.
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
    if (!exchange.answered()) state->done = true;
    if (failure || !co_await container->changed.wait_until(Clock::now() + linger, [&] { return state->done; })) {
        socket.cancel(ignored);
        while (!state->done) co_await container->changed.wait();
    }
    if (failure) std::rethrow_exception(failure);
}

Task<> answer_container_logs(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const Target& target = exchange.target();
    const bool standard_output = target.flag("stdout");
    const bool standard_error = target.flag("stderr");
    if (!standard_output && !standard_error) throw bad_request("Bad parameters: you must choose at least one stream");
    if (container->spec.log_limit == 0) throw ApiError(501, "configured logging driver does not support reading");
    const bool framed = !container->spec.terminal;
    const bool timestamps = target.flag("timestamps");
    const bool follow = target.flag("follow");
    auto moment = [&](const char* name, std::int64_t fallback) -> std::int64_t {
        const std::string_view text = target.parameter(name);
        const auto dot = text.find('.');
        const auto seconds = services::parse_number(text.substr(0, dot));
        if (text.empty() || text == "0") return fallback;
        if (!seconds || *seconds > 9'000'000'000)
            throw bad_request(std::string("invalid value for \"") + name + "\": " + std::string(text));
        std::string fraction(dot == std::string_view::npos ? "" : text.substr(dot + 1));
        fraction.resize(9, '0');
        return static_cast<std::int64_t>(*seconds * 1'000'000'000 + services::parse_number(fraction).value_or(0));
    };
    const std::int64_t since = moment("since", INT64_MIN);
    const std::int64_t until = moment("until", INT64_MAX);
    std::uint64_t next = 0;
    if (const std::string_view tail = target.parameter("tail"); !tail.empty() && tail != "all") {
        // As Docker: what is no number means all.
        if (const auto count = services::parse_number(tail))
            next = container->log.tail(*count, standard_output, standard_error);
    }
    co_await exchange.begin_stream(200, stream_type(*container, target));
    exchange.watch([container] { container->changed.notify(); });
    const std::uint64_t exits = container->exits;
    bool ended = false;
    while (!ended && !exchange.client_gone()) {
        // All that was written before the end is sent: the end is looked at first.
        const bool over = !follow || container->removed ||
                          (!container->running() && !container->starting && container->state != State::restarting) ||
                          (container->exits != exits && container->spec.restart.kind == RestartPolicy::Kind::no);
        std::string text;
        while (text.size() < (256 << 10)) {
            const LogLine* line = container->log.from(next);
            if (line == nullptr || line->time > until) {
                ended = over || line != nullptr;
                break;
            }
            next = line->sequence + 1;
            if (line->time >= since &&
                (line->stream == OutputStream::standard_error ? standard_error : standard_output))
                text += log_text(*line, framed, timestamps);
        }
        const bool more = container->log.from(next) != nullptr;
        co_await exchange.write_piece(text);
        if (!ended && !more && container->log.from(next) == nullptr && !exchange.client_gone() && !over)
            co_await container->changed.wait();
    }
    co_await exchange.unwatch();
    if (ended) co_await exchange.end_stream();
}

} // namespace engine
