// /containers/ID/attach and /containers/ID/logs
#include <algorithm>

#include <boost/asio/write.hpp>

#include "services/common/text.hpp"
#include "services/engine/detach_keys.hpp"
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

// What the two halves of an attachment share.
struct Attachment {
    Attachment(asio::io_context& io, bool standard_output, bool standard_error, bool framed, bool input,
               std::string_view keys)
        : subscriber(std::make_shared<Subscriber>(io, standard_output, standard_error, framed)), input(input),
          keys(keys) {}
    std::shared_ptr<Subscriber> subscriber;
    bool input;           // what the client sends goes to the program
    DetachKeys keys;      // where there is a terminal
    bool reading = false; // the coroutine that reads the client runs
};

// Waits for a run where there is none yet; null where the attachment or the container ends first.
Task<std::shared_ptr<Run>> running(const ContainerPointer& container, const Attachment& attachment) {
    while (!container->run && !container->removed && !attachment.subscriber->closed())
        co_await container->changed.wait();
    co_return container->run;
}

Task<> write_input(const ContainerPointer& container, Attachment& attachment, std::string_view bytes) {
    std::string passed;
    if (container->spec.terminal) {
        passed = attachment.keys.filter(bytes);
        bytes = passed;
    }
    // Before the start the bytes wait here; after the end nobody wants them.
    const auto run = co_await running(container, attachment);
    if (!run || !run->input_open || bytes.empty()) co_return;
    ErrorCode error;
    co_await asio::async_write(run->input, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(use_awaitable, error));
}

Task<> read_client(ContainerPointer container, Exchange& exchange, std::shared_ptr<Attachment> attachment) {
    auto& early = exchange.early();
    if (early.size() > 0 && attachment->input)
        co_await write_input(container, *attachment, {static_cast<const char*>(early.data().data()), early.size()});
    early.consume(early.size());
    std::string piece(64 << 10, '\0');
    ErrorCode error;
    while (!attachment->keys.detached()) {
        const std::size_t count =
            co_await exchange.socket().async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, error));
        if (error) break;
        if (attachment->input && !attachment->subscriber->closed())
            co_await write_input(container, *attachment, {piece.data(), count});
    }
    if (attachment->input && container->spec.stdin_once && !container->spec.terminal && error) {
        // End of file for the program, also where it has not been started yet.
        if (const auto run = co_await running(container, *attachment)) {
            ErrorCode ignored;
            run->input_open = false;
            run->input.close(ignored);
        }
    }
    // A client that only half-closed still reads; one that broke or detached does not.
    if (error != asio::error::eof) attachment->subscriber->close();
}

} // namespace

Task<> answer_container_attach(Engine& engine, Exchange& exchange, std::string id) {
    const auto container = engine.containers.find(id);
    const Target& target = exchange.target();
    co_await exchange.body();
    const bool framed = !container->spec.terminal;
    if (container->state == State::removing)
        throw ApiError(409, "container " + container->id + " is marked for removal");

    auto attachment = std::make_shared<Attachment>(engine.io, target.flag("stdout"), target.flag("stderr"), framed,
                                                   target.flag("stdin") && container->spec.open_stdin,
                                                   target.parameter("detachKeys"));
    const auto subscriber = attachment->subscriber;
    // What is kept until now; all that follows goes to the subscriber.
    std::string kept;
    if (target.flag("logs"))
        for (auto line = container->log.from(0); line != nullptr; line = container->log.from(line->sequence + 1))
            if (target.flag(line->stream == OutputStream::standard_error ? "stderr" : "stdout"))
                kept += log_text(*line, framed, false);
    if (target.flag("stream"))
        container->subscribers.push_back(subscriber);
    else
        subscriber->close();
    auto& socket = exchange.socket();
    ErrorCode ignored;
    std::exception_ptr failure;
    try {
        co_await exchange.hijack(stream_type(*container, target));
        engine.containers.publish(*container, "attach");
        attachment->reading = true;
        asio::co_spawn(engine.io, read_client(container, exchange, attachment),
                       [attachment, container](std::exception_ptr error) {
                           if (error) attachment->subscriber->close();
                           attachment->reading = false;
                           container->changed.notify();
                       });
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
    if (attachment->keys.detached()) engine.containers.publish(*container, "detach");
    // The client sees the end of the output, and ends its side in turn.
    container->changed.notify();
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
    auto ended = [&] { return !attachment->reading; };
    if (failure || !co_await container->changed.wait_until(Clock::now() + linger, ended)) {
        socket.cancel(ignored);
        while (!ended()) co_await container->changed.wait();
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
