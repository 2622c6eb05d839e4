// Clients and the server, with the messages between them as they travel; the kernel is left out.
#include "servers/log/service.hpp"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "abi/log_client.hpp"
#include "servers/log/kernel_testing.hpp"

namespace {

using namespace logging;
using base::Error;

struct Screen final : Console {
    void show(std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
};

struct Direct {
    native::log::Server* server;
    std::uint64_t badge;
    base::Result<void> call(native::Message& message, abi::Deadline) {
        serve(*server, badge, message);
        return {};
    }
};
using Client = native::log::Client<Direct>;

native::log::WriteRequest text(std::string_view line) {
    native::log::WriteRequest request;
    request.length = static_cast<std::uint32_t>(line.size());
    std::memcpy(request.text.data(), line.data(), std::min(line.size(), request.text.size()));
    return request;
}

struct LogService : testing::Test {
    LogService() : storage(64 * 1024), journal(std::make_unique<Journal>(storage, screen)), programs(*journal, audit, now, 9), sandboxes(*journal, now) {
        EXPECT_TRUE(journal->add_program(1, "pci"));
    }
    static std::uint64_t now() { return 77; }
    Client program(std::uint64_t badge) { return Client(Direct{&programs, badge}); }
    Client sandbox(std::uint64_t number) { return Client(Direct{&sandboxes, number}); }

    std::vector<std::byte> storage;
    Screen screen;
    std::unique_ptr<Journal> journal;
    AuditKeeper audit;
    Programs programs;
    Sandboxes sandboxes;
};

TEST_F(LogService, WritesAndReads) {
    EXPECT_TRUE(program(1).write(text("7 functions")));
    EXPECT_TRUE(sandbox(1).write(text(std::string(256, 'x'))));
    EXPECT_EQ(screen.lines, (std::vector<std::string>{"pci: 7 functions\n", "sandbox 1: " + std::string(256, 'x') + "\n"}));
    const auto first = program(9).read({0});
    ASSERT_TRUE(first);
    EXPECT_EQ(first->number, 1u);
    EXPECT_EQ(first->nanoseconds, 77u);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(first->writer.data()), first->writer_length), "pci");
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(first->text.data()), first->text_length), "7 functions");
    EXPECT_EQ(program(9).read({2})->text_length, 256u);
    EXPECT_EQ(program(9).read({3}).error(), Error::not_found);
}

TEST_F(LogService, OnlyTheReaderReadsAndOnlyWritersWrite) {
    EXPECT_TRUE(program(1).write(text("secret")));
    for (const std::uint64_t badge : {0ull, 1ull, 10ull}) {
        EXPECT_EQ(program(badge).read({1}).error(), Error::denied);
        EXPECT_EQ(sandbox(badge).read({1}).error(), Error::denied);
    }
    EXPECT_EQ(sandbox(9).read({1}).error(), Error::denied);
    for (const std::uint64_t badge : {0ull, 9ull, 2ull})
        EXPECT_EQ(program(badge).write(text("x")).error(), Error::denied);
    // A node without a reader: an endpoint without a badge is none.
    Programs mute(*journal, audit, now, 0);
    EXPECT_EQ(Client(Direct{&mute, 0}).read({1}).error(), Error::denied);
    EXPECT_EQ(Client(Direct{&mute, 0}).seal().error(), Error::denied);
    EXPECT_EQ(Client(Direct{&mute, 0}).store().error(), Error::denied);
}

TEST_F(LogService, TheReaderAloneGetsTheAuditRecords) {
    test_kernel = {};
    EXPECT_EQ(program(9).seal()->sequence, 0u);
    EXPECT_EQ(program(9).store().error(), Error::not_found);
    struct alignas(abi::page_size) Page {
        std::byte bytes[abi::page_size];
    };
    std::vector<Page> pages(4);
    audit.open(TestKernel::log, TestKernel::bell);
    ASSERT_TRUE(audit.keep(5, std::as_writable_bytes(std::span(pages))));
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence)
        test_kernel.seal(sequence);
    for (const std::uint64_t badge : {0ull, 1ull, 10ull}) {
        EXPECT_EQ(program(badge).seal().error(), Error::denied);
        EXPECT_EQ(program(badge).store().error(), Error::denied);
        EXPECT_EQ(program(badge).audit_state().error(), Error::denied);
    }
    for (const std::uint64_t number : {1ull, 9ull}) {
        EXPECT_EQ(sandbox(number).seal().error(), Error::denied);
        EXPECT_EQ(sandbox(number).store().error(), Error::denied);
        EXPECT_EQ(sandbox(number).audit_state().error(), Error::denied);
    }
    EXPECT_EQ(test_kernel.reads, 0u);
    const auto head = program(9).seal();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->sequence, 5u);
    base::Sha256::Digest digest;
    digest.fill(std::byte{5});
    EXPECT_EQ(head->digest, digest);
    const auto store = program(9).store();
    ASSERT_TRUE(store);
    EXPECT_EQ(store->store, 5u);
    const auto state = program(9).audit_state();
    ASSERT_TRUE(state);
    EXPECT_EQ(state->begun, 1u);
    EXPECT_EQ(state->dropped, 0u);
    EXPECT_EQ(state->refusal, 0u);
    test_kernel.refusal = Error::bad_state;
    EXPECT_EQ(program(9).seal()->sequence, 5u);
    EXPECT_EQ(program(9).audit_state()->refusal, static_cast<std::uint32_t>(Error::bad_state));
}

TEST_F(LogService, RefusesLengthsPastTheWords) {
    for (const std::uint32_t length : {257u, 4096u, UINT32_MAX}) {
        auto request = text("x");
        request.length = length;
        EXPECT_EQ(program(1).write(request).error(), Error::bad_argument);
        EXPECT_EQ(sandbox(1).write(request).error(), Error::bad_argument);
    }
    EXPECT_TRUE(screen.lines.empty());
}

TEST_F(LogService, ClosesWhatItDoesNotTake) {
    native::Message message;
    message.tag = abi::make_tag(99, 0, 1);
    message.handles[0] = 5;
    test_kernel = {};
    serve(sandboxes, 1, message);
    EXPECT_EQ(abi::tag_message(message.tag), static_cast<std::uint32_t>(Error::unknown_call));
    EXPECT_EQ(test_kernel.closed, 1u);
}

} // namespace
