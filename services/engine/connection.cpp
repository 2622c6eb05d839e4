#include "services/engine/connection.hpp"

#include <netinet/tcp.h>
#include <poll.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include "services/common/log.hpp"
#include "services/engine/error.hpp"
#include "services/engine/json_fields.hpp"
#include "services/engine/request_source.hpp"

namespace engine {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t head_limit = 64 << 10;
constexpr std::size_t drain_limit = 1 << 20;
constexpr std::size_t read_size = 64 << 10;
// Of a client that has closed its end, or never will.
constexpr std::chrono::seconds farewell{5};

using KeepIdle = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
using KeepInterval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

} // namespace

Task<bool> Exchange::read_head() {
    parser_ = std::make_unique<Parser>();
    parser_->header_limit(head_limit);
    parser_->body_limit(UINT64_MAX);
    ClientWaits::Wait wait(waits_, socket_);
    ErrorCode error;
    if (buffer_.size() == 0) {
        wait.extend(waits_.patience().next_request);
        co_await socket_.async_wait(Tcp::socket::wait_read, asio::redirect_error(use_awaitable, error));
        given_up_ = wait.ended();
        if (error || given_up_) co_return false;
    }
    wait.extend(waits_.patience().head);
    co_await http::async_read_header(socket_, buffer_, *parser_, asio::redirect_error(use_awaitable, error));
    if (wait.ended()) give_up("head");
    if (error == http::error::header_limit) throw ApiError(431, "the head of the request is larger than 64 KiB");
    if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message)
        throw bad_request("the request is damaged: " + error.message());
    if (error) co_return false;
    const auto& message = parser_->get();
    method_ = view(message.method_string());
    keep_alive_ = message.keep_alive();
    http_1_0_ = message.version() < 11;
    co_return true;
}

void Exchange::read_target() {
    check_source(header(http::field::origin), view(parser_->get()["Sec-Fetch-Site"]), header(http::field::host));
    target_ = parse_target(view(parser_->get().target()));
}

std::string_view Exchange::header(http::field name) const { return view(parser_->get()[name]); }

Task<> Exchange::continue_if_expected() {
    if (!std::exchange(body_started_, true) &&
        boost::beast::iequals(parser_->get()[http::field::expect], "100-continue"))
        co_await send("HTTP/1.1 100 Continue\r\n\r\n");
}

void Exchange::give_up(const char* part) {
    given_up_ = true;
    keep_alive_ = false;
    throw ApiError(408, std::string("the ") + part + " of the request does not go on");
}

std::size_t Exchange::body_taken(std::size_t size, const ErrorCode& error) {
    if (error && error != http::error::need_buffer) {
        keep_alive_ = false;
        throw bad_request("the body is damaged: " + error.message());
    }
    return size - parser_->get().body().size;
}

Task<std::size_t> Exchange::read_body_some(ClientWaits::Wait& wait, char* piece, std::size_t size) {
    auto& body = parser_->get().body();
    body.data = piece;
    body.size = size;
    ErrorCode error;
    wait.extend(waits_.patience().body);
    co_await http::async_read_some(socket_, buffer_, *parser_, asio::redirect_error(use_awaitable, error));
    if (wait.ended()) give_up("body");
    co_return body_taken(size, error);
}

Task<std::string> Exchange::body(std::size_t limit) {
    std::string result;
    if (const auto length = parser_->content_length(); length && *length > limit)
        throw ApiError(413, "the body is larger than " + std::to_string(limit) + " bytes");
    co_await continue_if_expected();
    std::string piece(read_size, '\0');
    ClientWaits::Wait wait(waits_, socket_);
    while (!parser_->is_done()) {
        const std::size_t count = co_await read_body_some(wait, piece.data(), piece.size());
        if (result.size() + count > limit)
            throw ApiError(413, "the body is larger than " + std::to_string(limit) + " bytes");
        result.append(piece.data(), count);
    }
    co_return result;
}

Task<Json> Exchange::json_body(bool required) {
    const std::string text = co_await body();
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        if (required) throw bad_request("got EOF while reading request body");
        co_return Json::object();
    }
    check_json_type(header(http::field::content_type));
    Json document = parse_json(text);
    if (document.is_null() && !required) co_return Json::object();
    if (!document.is_object()) throw bad_request("invalid JSON: the body is not an object");
    co_return document;
}

std::size_t Exchange::read_body_blocking(char* buffer, std::size_t size) {
    // The library reads no more at a time than what the buffer has room for: after a short head, a few hundred bytes.
    buffer_.reserve(read_size);
    socket_.non_blocking(true);
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(waits_.patience().body);
    while (!parser_->is_done()) {
        auto& body = parser_->get().body();
        body.data = buffer;
        body.size = size;
        ErrorCode error;
        http::read_some(socket_, buffer_, *parser_, error);
        if (error == asio::error::would_block) {
            pollfd more{socket_.native_handle(), POLLIN, 0};
            if (::poll(&more, 1, static_cast<int>(patience.count())) == 0) give_up("body");
        } else if (const std::size_t count = body_taken(size, error); count > 0) {
            return count;
        }
    }
    return 0;
}

Task<bool> Exchange::drain_body() {
    if (!parser_ || parser_->is_done()) co_return true;
    // A client that still waits for our word to go on sends no body.
    if (!body_started_ && !parser_->get()[http::field::expect].empty()) co_return false;
    std::string piece(read_size, '\0');
    ClientWaits::Wait wait(waits_, socket_);
    for (std::size_t total = 0; !parser_->is_done();) {
        total += co_await read_body_some(wait, piece.data(), piece.size());
        if (total > drain_limit) co_return false;
    }
    co_return true;
}

Task<std::string> Exchange::common_headers() {
    std::string text = "Api-Version: " + newest_version.text() + "\r\nDocker-Experimental: false\r\nOstype: linux\r\n";
    const std::string audit = audit_head_.empty() ? co_await heads_.current() : audit_head_;
    if (!audit.empty()) text += "Themelios-Audit-Head: " + audit + "\r\n";
    co_return text;
}

Task<std::string> Exchange::head(int status, std::string_view type, std::string_view framing) {
    std::string text = "HTTP/1.1 " + std::to_string(status) + " " +
                       std::string(view(http::obsolete_reason(static_cast<http::status>(status)))) + "\r\n";
    text += co_await common_headers();
    text += "Server: ThemeliOS/" THEMELIOS_VERSION " (linux)\r\n";
    if (!type.empty()) text += "Content-Type: " + std::string(type) + "\r\n";
    text += framing;
    if (!keep_alive_) text += "Connection: close\r\n";
    co_return text + "\r\n";
}

Task<> Exchange::send(std::string_view bytes) {
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), use_awaitable);
}

Task<> Exchange::reply(int status, const Json& body) {
    co_await reply_text(status, "application/json", body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Task<> Exchange::reply_text(int status, std::string_view type, std::string_view text) {
    answered_ = true;
    std::string all = co_await head(status, type, "Content-Length: " + std::to_string(text.size()) + "\r\n");
    if (method_ != "HEAD") all += text;
    ClientWaits::Wait wait(waits_, socket_);
    wait.extend(waits_.patience().answer);
    co_await send(all);
}

Task<> Exchange::reply_empty(int status) {
    answered_ = true;
    co_await send(co_await head(status, "", status == 204 || status == 304 ? "" : "Content-Length: 0\r\n"));
}

Task<> Exchange::reply_error(int status, const std::string& message) {
    co_await reply(status, Json{{"message", message}});
}

Task<> Exchange::begin_stream(int status, std::string_view type) {
    answered_ = true;
    if (http_1_0_) keep_alive_ = false;
    co_await send(co_await head(status, type, http_1_0_ ? "" : "Transfer-Encoding: chunked\r\n"));
}

Task<> Exchange::write_piece(std::string_view bytes) {
    if (bytes.empty()) co_return;
    if (http_1_0_) {
        co_await send(bytes);
        co_return;
    }
    char size[24];
    const int count = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    const std::array<asio::const_buffer, 3> parts{asio::buffer(size, static_cast<std::size_t>(count)),
                                                  asio::buffer(bytes.data(), bytes.size()), asio::buffer("\r\n", 2)};
    co_await asio::async_write(socket_, parts, use_awaitable);
}

Task<> Exchange::end_stream() {
    if (!http_1_0_) co_await send("0\r\n\r\n");
}

void Exchange::watch(std::function<void()> on_gone) {
    watch_ = std::make_shared<Watch>();
    watch_->on_gone = std::move(on_gone);
    // Bytes that come are the beginning of the next request: they stay in the buffer, and the watch ends.
    socket_.async_read_some(buffer_.prepare(4096),
                            [watch = watch_, &buffer = buffer_](const ErrorCode& error, std::size_t count) {
                                watch->running = false;
                                if (error == asio::error::operation_aborted) return;
                                if (error) {
                                    watch->gone = true;
                                    watch->on_gone();
                                } else {
                                    buffer.commit(count);
                                }
                            });
}

Task<> Exchange::unwatch() {
    if (!watch_) co_return;
    ErrorCode ignored;
    if (watch_->running) socket_.cancel(ignored);
    // The cancelled read completes on this loop before anything posted now.
    while (watch_->running) co_await asio::post(io_, use_awaitable);
    watch_->on_gone = nullptr;
}

Task<> Exchange::hijack(std::string_view type) {
    answered_ = true;
    keep_alive_ = false;
    const bool upgrade = !parser_->get()[http::field::upgrade].empty();
    std::string text =
        upgrade ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" : "HTTP/1.1 200 OK\r\n";
    text += co_await common_headers();
    text += "Content-Type: " + std::string(type) + "\r\n\r\n";
    co_await send(text);
}

namespace {

// Answers a failure where that is still possible. False where the connection is of no more use.
Task<bool> answer_failure(Exchange& exchange, int status, std::string message) {
    if (exchange.answered()) co_return false;
    co_await exchange.reply_error(status, message);
    co_return true;
}

} // namespace

Task<> serve_connection(asio::io_context& io, AuditHeads& heads, ClientWaits& waits, Tcp::socket socket, Handler handle) {
    boost::beast::flat_buffer buffer(head_limit + read_size);
    ErrorCode ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    // A client that is gone without a word is noticed even where a stream has nothing to send. Each question wakes an idle node.
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    socket.set_option(KeepIdle(120), ignored);
    socket.set_option(KeepInterval(15), ignored);
    bool given_up = false;
    for (bool open = true; open;) {
        Exchange exchange(io, heads, waits, socket, buffer);
        int status = 0;
        std::string message;
        bool head_read = false;
        try {
            head_read = co_await exchange.read_head();
            if (!head_read) {
                given_up = exchange.given_up();
                break;
            }
            exchange.read_target();
            co_await handle(exchange);
        } catch (const ApiError& error) {
            status = error.status;
            message = error.what();
        } catch (const boost::system::system_error& error) {
            break; // the client is gone
        } catch (const std::exception& error) {
            services::log_line(std::string("request failed: ") + error.what());
            status = 500;
            message = error.what();
        }
        try {
            co_await exchange.unwatch();
            if (status != 0) open = co_await answer_failure(exchange, status, message);
            open = open && head_read && exchange.keep_alive() && co_await exchange.drain_body();
        } catch (const std::exception&) {
            open = false;
        }
        given_up = exchange.given_up();
    }
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
    if (given_up) co_return;
    // Closing while bytes of the client are unread would reset the connection and lose the end of our answer.
    ClientWaits::Wait wait(waits, socket);
    wait.extend(farewell);
    std::string piece(read_size, '\0');
    for (ErrorCode error; !error && !wait.ended();)
        co_await socket.async_read_some(asio::buffer(piece), asio::redirect_error(use_awaitable, error));
}

} // namespace engine
