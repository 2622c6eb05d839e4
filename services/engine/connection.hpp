// One HTTP/1.1 connection of a client, and the exchange (request and answer) that runs on it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <nlohmann/json.hpp>

#include "services/engine/async.hpp"
#include "services/engine/audit_heads.hpp"
#include "services/engine/client_waits.hpp"
#include "services/engine/target.hpp"

namespace engine {

using Json = nlohmann::json;

// The largest JSON body that is read.
inline constexpr std::size_t json_body_limit = 4 << 20;

class Exchange {
public:
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

    // Answers carry the head of the audit log, as far as `heads` knows it.
    Exchange(asio::io_context& io, AuditHeads& heads, ClientWaits& waits, Tcp::socket& socket, boost::beast::flat_buffer& buffer)
        : io_(io), heads_(heads), waits_(waits), socket_(socket), buffer_(buffer) {}

    // The answer carries this head instead, as AuditHeads::text gives it.
    void set_audit_head(std::string head) { audit_head_ = std::move(head); }

    // Reads the head. False at the end of the connection, or where the client was given up before it began; throws ApiError where it is damaged, 408 where it does not go on.
    Task<bool> read_head();
    // Understands the target of the head that was read; throws ApiError 400, and 403 where a web page asks.
    void read_target();
    // Reads what the handler left of the body, so that the next request can be found. False where that is too much, or does not come.
    Task<bool> drain_body();

    std::string_view method() const { return method_; }
    std::string_view header(boost::beast::http::field name) const;
    const Target& target() const { return target_; }
    asio::io_context& io() const { return io_; }
    bool keep_alive() const { return keep_alive_; }
    bool answered() const { return answered_; }
    // The client let us wait too long: nothing more of it is read.
    bool given_up() const { return given_up_; }

    // The whole body; ApiError 413 beyond the limit, 408 where it does not go on.
    Task<std::string> body(std::size_t limit = json_body_limit);
    // The body as a JSON object; an empty one where there is none and `required` is false. Throws ApiError 400, 413, and 415 where its type is another.
    Task<Json> json_body(bool required);
    // For a thread of the connection's own, while no coroutine uses the connection: up to `size` bytes of the body, 0 at its end. Throws as `body`.
    std::size_t read_body_blocking(char* buffer, std::size_t size);
    Task<> continue_if_expected();

    // A whole answer.
    Task<> reply(int status, const Json& body);
    Task<> reply_text(int status, std::string_view type, std::string_view text);
    Task<> reply_empty(int status);
    Task<> reply_error(int status, const std::string& message);

    // An answer that comes piece by piece; the head and every piece is sent at once.
    Task<> begin_stream(int status, std::string_view type);
    Task<> write_piece(std::string_view bytes);
    Task<> end_stream();

    // Calls `on_gone` once when the client closes the connection; to be ended by `unwatch` before the exchange ends.
    void watch(std::function<void()> on_gone);
    Task<> unwatch();
    bool client_gone() const { return watch_ && watch_->gone; }

    // Takes the connection over: answers 101 where the client asked for an upgrade, 200 else. Bytes that came early lie
    // in `early()`.
    Task<> hijack(std::string_view type);
    Tcp::socket& socket() { return socket_; }
    boost::beast::flat_buffer& early() { return buffer_; }

private:
    struct Watch {
        bool running = true;
        bool gone = false;
        std::function<void()> on_gone;
    };
    Task<std::string> head(int status, std::string_view type, std::string_view framing);
    // The headers that every answer has.
    Task<std::string> common_headers();
    Task<> send(std::string_view bytes);
    // At most `size` bytes of the body; none does not mean its end. Throws as `body`.
    Task<std::size_t> read_body_some(ClientWaits::Wait& wait, char* piece, std::size_t size);
    // What the parser took of `size` bytes. Throws as `body`.
    std::size_t body_taken(std::size_t size, const ErrorCode& error);
    [[noreturn]] void give_up(const char* part);

    asio::io_context& io_;
    AuditHeads& heads_;
    ClientWaits& waits_;
    std::string audit_head_; // empty: the newest
    Tcp::socket& socket_;
    boost::beast::flat_buffer& buffer_;
    std::unique_ptr<Parser> parser_;
    std::string method_;
    Target target_;
    bool keep_alive_ = true;
    bool http_1_0_ = false;
    bool answered_ = false;
    bool body_started_ = false;
    bool given_up_ = false;
    std::shared_ptr<Watch> watch_;
};

// Serves a connection until it ends. `handle` answers one exchange; what it throws becomes an answer.
using Handler = std::function<Task<>(Exchange&)>;
Task<> serve_connection(asio::io_context& io, AuditHeads& heads, ClientWaits& waits, Tcp::socket socket, Handler handle);

} // namespace engine
