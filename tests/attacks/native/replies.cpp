// A thread of a server's process answers a call whose message is still on its way to another thread, by guessing the handle of the Reply.
#include <atomic>

#include "kernel/tests/native/test.hpp"
#include "lib/native/clock.hpp"
#include "lib/native/ipc.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
namespace call = native::call;

namespace {

constexpr std::uint64_t calls = 200;
constexpr std::uint64_t next_generation = 1ull << 32;

struct Race {
    abi::Handle endpoint = 0;
    std::atomic<abi::Handle> guess{0};
    std::atomic<std::uint64_t> made{0};
    std::uint64_t received = 0;
    std::uint64_t wrong = 0;
    std::atomic<bool> over{false};
};

bool made_all(const Race& race) { return race.made == calls; }

// Numbers its calls in every word. It stays until all is over: what the kernel still reads of it must not be gone as well.
void number_calls(void* argument) {
    Race& race = *static_cast<Race*>(argument);
    for (std::uint64_t number = 1; number <= calls; ++number) {
        native::Message message{};
        message.tag = abi::make_tag(1, abi::message_words, 0);
        for (std::uint64_t& word : message.words) word = number;
        (void)native::send_call(race.endpoint, message);
        race.made = number;
    }
    while (!race.over) (void)call::thread_yield();
}

void guess_replies(void* argument) {
    Race& race = *static_cast<Race*>(argument);
    native::Message nothing{};
    nothing.tag = abi::make_tag(0, 0, 0);
    for (std::uint64_t tries = 1; !race.over; ++tries) {
        if (const abi::Handle guess = race.guess; guess != abi::no_handle) (void)native::answer(guess, nothing);
        if (tries % 16 == 0) (void)call::thread_yield();
    }
}

// Each call comes once, whole and in order, whoever answers it.
void check_calls(Race& race) {
    for (;;) {
        native::Message message{};
        const auto incoming = native::receive(race.endpoint, message, native::after_milliseconds(50));
        if (!incoming) {
            if (made_all(race)) return;
            continue;
        }
        ++race.received;
        bool right = message.tag == abi::make_tag(1, abi::message_words, 0);
        for (const std::uint64_t word : message.words) right &= word == race.received;
        race.wrong += !right;
        // The slot that is emptied now is the next one to be filled.
        race.guess = incoming->reply + next_generation;
        (void)call::handle_close(incoming->reply);
    }
}

} // namespace

KERNEL_USER_TEST(a_call_is_not_answered_before_its_message_is_there) {
    Race race;
    const auto endpoint = call::endpoint_create(quota());
    REQUIRE(endpoint);
    race.endpoint = *endpoint;
    auto guesser = native::Thread::create(guess_replies, &race);
    REQUIRE(guesser);
    auto client = native::Thread::create(number_calls, &race);
    REQUIRE(client);
    check_calls(race);
    race.over = true;
    (*client)->join();
    (*guesser)->join();
    CHECK(race.received == calls);
    CHECK(race.wrong == 0);
    CHECK(call::handle_close(*endpoint));
}
