// Coroutines on the one event loop. All state of the engine belongs to that loop's thread; blocking calls go to worker
// threads by `offload`.
#pragma once
#include <chrono>
#include <utility> // awaitable.hpp of Boost 1.74 needs it first

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace engine {

namespace asio = boost::asio;
using asio::use_awaitable;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;
template <class T = void>
using Task = asio::awaitable<T>;

// Wakes all that wait now. Waiters check their condition again: a signal has no memory.
class Signal {
public:
    explicit Signal(asio::io_context& io) : timer_(io, Clock::time_point::max()) {}
    void notify() { timer_.cancel(); }
    // May return without a cause. The caller keeps the signal's owner alive.
    Task<> wait() {
        ErrorCode ignored;
        co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
    }
    // Waits until `condition()` holds; false where `deadline` came first.
    template <class Condition>
    Task<bool> wait_until(Clock::time_point deadline, Condition condition) {
        asio::steady_timer alarm(timer_.get_executor());
        alarm.expires_at(deadline);
        alarm.async_wait([this](const ErrorCode& error) {
            if (!error) notify();
        });
        while (!condition()) {
            if (Clock::now() >= deadline) co_return false;
            co_await wait();
        }
        co_return true;
    }

private:
    asio::steady_timer timer_;
};

// One holder at a time, or so many as are given, in no particular order.
class AsyncMutex {
public:
    explicit AsyncMutex(asio::io_context& io, unsigned holders = 1) : free_(holders), released_(io) {}
    class Guard {
    public:
        explicit Guard(AsyncMutex& mutex) : mutex_(&mutex) {}
        Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
        Guard& operator=(Guard&&) = delete;
        ~Guard() {
            if (mutex_ != nullptr) {
                ++mutex_->free_;
                mutex_->released_.notify();
            }
        }

    private:
        AsyncMutex* mutex_;
    };
    Task<Guard> lock() {
        while (free_ == 0) co_await released_.wait();
        --free_;
        co_return Guard(*this);
    }

private:
    unsigned free_;
    Signal released_;
};

// Runs `function` on a worker thread; its result or exception comes back on the caller's loop. What it captures must
// outlive it.
template <class Function>
Task<std::invoke_result_t<Function>> offload(asio::thread_pool& pool, Function function) {
    using Value = std::invoke_result_t<Function>;
    co_return co_await asio::co_spawn(pool, [&function]() -> Task<Value> { co_return function(); }, use_awaitable);
}

} // namespace engine
