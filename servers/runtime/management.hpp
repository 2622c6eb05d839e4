// The management sandbox: the services, started with the node. Its standard output and error go to the log, in its own name (`management_log`).
#pragma once
#include "lib/native/event_loop.hpp"
#include "servers/runtime/sandbox.hpp"

#include <array>

namespace runtime {

class Server;

class Management final {
public:
    explicit Management(Server& server) : server_(server) {}
    // By the program's arguments: `management=PATH` its layer in the root image, `management_program=PATH` what runs, `management_port=N` is published.
    base::Result<void> start();
    bool is(const Sandbox& sandbox) const { return sandbox_ == &sandbox; }
    // Its program ended: starts again.
    void on_ended();

private:
    // One of the two streams that are read into the log, line by line.
    class LogStream final : public native::EventHandler {
    public:
        base::Result<void> attach(Server& server, Sandbox& sandbox, std::size_t index);
        void detach(Server& server);
        void on_event(std::uint64_t) override;

    private:
        ring::Pair pair_;
        std::array<char, 200> line_{};
        std::size_t used_ = 0;
    };
    base::Result<void> start_program();

    Server& server_;
    Sandbox* sandbox_ = nullptr;
    LogStream output_[2];
    std::uint32_t starts_ = 0;
};

} // namespace runtime
