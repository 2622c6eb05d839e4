// Waiting for a client, which may never send or take what is next: each wait has a deadline, and where connections run out, the client that was waited for longest makes room.
#pragma once
#include <list>
#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "services/engine/async.hpp"

namespace engine {

using Tcp = asio::ip::tcp;

// How long the engine waits for a client.
struct Patience {
    Clock::duration next_request = std::chrono::minutes(5); // for the first byte of a head, on a connection that rests
    Clock::duration head = std::chrono::seconds(30);        // from its first byte to its last
    Clock::duration body = std::chrono::minutes(1);         // for more of a body
    Clock::duration answer = std::chrono::minutes(5);       // until it has taken an answer that is no stream
};

// All of one loop. Lives as long as the loop runs.
class ClientWaits {
public:
    class Wait;
    explicit ClientWaits(const Patience& patience = {}) : patience_(patience) {}
    const Patience& patience() const { return patience_; }
    // Ends the wait that began first, as its deadline does. False where nobody is waited for.
    bool end_longest();

private:
    Patience patience_;
    std::list<Wait*> waits_; // the longest first
};

// A wait, from its making to its end: what is asked of the socket in between ends with operation_aborted where it takes too long.
class ClientWaits::Wait {
public:
    Wait(ClientWaits& waits, Tcp::socket& socket);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    // From now on so much longer. The wait keeps its place among the others.
    void extend(Clock::duration time);
    // The client is given up: the connection is of no more use.
    bool ended() const { return ended_; }

private:
    friend ClientWaits;
    void end();

    ClientWaits& waits_;
    Tcp::socket& socket_;
    asio::steady_timer timer_;
    std::shared_ptr<Wait*> self_; // null in it: the wait is over, whatever a timer still has to say
    std::list<Wait*>::iterator place_;
    bool ended_ = false;
};

} // namespace engine
