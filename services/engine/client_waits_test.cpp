#include "services/engine/client_waits.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace engine {
namespace {

using namespace std::chrono_literals;

struct ClientWaitsTest : testing::Test {
    // A connection; the client's end and ours.
    struct Ends {
        explicit Ends(asio::io_context& io) : client(io), own(io) {
            Tcp::acceptor acceptor(io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
            client.connect(acceptor.local_endpoint());
            own = acceptor.accept();
        }
        Tcp::socket client, own;
    };
    // Waits for a byte with this deadline; says how it ended, and in which order.
    void wait_for_byte(Ends& ends, Clock::duration time, std::vector<std::string>& outcomes, std::string name) {
        asio::co_spawn(
            io,
            [this, &ends, time, &outcomes, name]() -> Task<> {
                ClientWaits::Wait wait(waits, ends.own);
                wait.extend(time);
                char byte = 0;
                ErrorCode error;
                co_await ends.own.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(use_awaitable, error));
                EXPECT_EQ(wait.ended(), error == asio::error::operation_aborted);
                outcomes.push_back(name + (wait.ended() ? " ended" : " read"));
            },
            asio::detached);
    }

    asio::io_context io;
    ClientWaits waits;
};

using Outcomes = std::vector<std::string>;

TEST_F(ClientWaitsTest, TheDeadlineEndsTheWait) {
    Ends ends(io);
    Outcomes outcomes;
    wait_for_byte(ends, 1ms, outcomes, "it");
    io.run();
    EXPECT_EQ(outcomes, Outcomes{"it ended"});
    EXPECT_FALSE(waits.end_longest());
}

TEST_F(ClientWaitsTest, ABytesComingEndsTheDeadline) {
    Ends ends(io);
    Outcomes outcomes;
    wait_for_byte(ends, 1h, outcomes, "it");
    asio::write(ends.client, asio::buffer("x", 1));
    io.run(); // would last an hour
    EXPECT_EQ(outcomes, Outcomes{"it read"});
}

TEST_F(ClientWaitsTest, TheLongestIsEndedFirst) {
    Ends first(io), second(io), third(io);
    Outcomes outcomes;
    wait_for_byte(first, 1h, outcomes, "first");
    wait_for_byte(second, 1h, outcomes, "second");
    wait_for_byte(third, 1h, outcomes, "third");
    io.poll();
    asio::write(second.client, asio::buffer("x", 1));
    while (outcomes.empty()) io.run_one();
    EXPECT_TRUE(waits.end_longest());
    EXPECT_TRUE(waits.end_longest());
    EXPECT_FALSE(waits.end_longest());
    io.run();
    EXPECT_EQ(outcomes, (Outcomes{"second read", "first ended", "third ended"}));
}

TEST_F(ClientWaitsTest, AnExtendedWaitIsNotEndedByTheFormerDeadline) {
    Ends ends(io);
    {
        ClientWaits::Wait wait(waits, ends.own);
        wait.extend(1ns);
        wait.extend(1h);
        io.poll();
        EXPECT_FALSE(wait.ended());
    }
    io.restart();
    io.run(); // nothing is left that would keep it an hour
    EXPECT_FALSE(waits.end_longest());
}

} // namespace
} // namespace engine
