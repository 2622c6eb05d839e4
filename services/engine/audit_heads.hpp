// The head of the node's audit log (abi/audit.hpp) as replies carry it: whoever keeps replies can hold the log against them.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "services/engine/async.hpp"

namespace engine {

struct AuditHead {
    std::uint64_t sequence = 0; // of the newest batch; 0: there is none
    std::vector<unsigned char> digest;
};

class AuditHeads {
public:
    using Ask = std::function<Task<AuditHead>()>;
    // Far beyond what an answer takes on a busy machine.
    static constexpr std::chrono::milliseconds usual_patience{1000};

    // `ask` throws where there is no answer. The object lives as long as the loop.
    AuditHeads(asio::io_context& io, Ask ask, std::chrono::milliseconds patience = usual_patience)
        : io_(io), ask_(std::move(ask)), patience_(patience), answer_came_(io) {}

    // text() of the newest batch as the call came; what was recorded last need not be in it. Empty where there is none, or no answer in time. One question at a time is asked, whose
    // answer is of all that waited when it was asked; while one is late nobody waits.
    Task<std::string> current();
    // "SEQUENCE:DIGEST", in decimal and hexadecimal digits; empty where there is none.
    static std::string text(const AuditHead& head);

private:
    Task<> ask_while_wanted();

    asio::io_context& io_;
    Ask ask_;
    std::chrono::milliseconds patience_;
    Signal answer_came_;
    std::uint64_t asked_ = 0, answered_ = 0, wanted_ = 0; // numbers of questions
    bool asking_ = false, late_ = false;
    std::string head_;
};

} // namespace engine
