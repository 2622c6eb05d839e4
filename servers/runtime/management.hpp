// The management sandbox: the services, started with the node. Its standard output and error go to the log, in its own name (`management_log`).
#pragma once
#include "lib/native/event_loop.hpp"
#include "servers/runtime/sandbox.hpp"

#include <array>

namespace runtime {

class Server;

class Management final : native::EventLoop::Timer {
public:
    explicit Management(Server& server) : server_(server) {}
    // By the program's arguments: `management=PATH` its layer in the root image, `management_program=PATH` what runs, `management_port=N` is published.
    // Errors: those of making and launching a sandbox.
    base::Result<void> start();
    bool is(const Sandbox& sandbox) const { return sandbox_ == &sandbox; }
    // Its program ended, or its personality did. It is started again after a pause, which grows while it does not stay up; a dead sandbox is replaced by a new one then.
    void on_ended();
    std::uint64_t restarts() const { return starts_ != 0 ? starts_ - 1 : 0; }

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
    static constexpr std::uint64_t first_pause = 100'000'000, longest_pause = 5'000'000'000, good_run = 10'000'000'000; // nanoseconds
    base::Result<void> make();
    void drop();
    base::Result<void> start_program();
    void on_time() override;

    Server& server_;
    Sandbox* sandbox_ = nullptr;
    LogStream output_[2];
    std::uint64_t starts_ = 0;
    std::uint64_t started_ = 0; // when, monotonic
    std::uint64_t pause_ = first_pause;
};

} // namespace runtime
