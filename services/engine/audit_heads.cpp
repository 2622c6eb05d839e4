#include "services/engine/audit_heads.hpp"

#include <algorithm>

#include "services/common/text.hpp"

namespace engine {

Task<std::string> AuditHeads::current() {
    if (late_) co_return std::string();
    // What was asked before may have been answered before what this reply is about.
    const std::uint64_t question = asked_ + 1;
    wanted_ = question;
    if (!asking_) {
        asking_ = true;
        asio::co_spawn(io_, ask_while_wanted(), asio::detached);
    }
    if (co_await answer_came_.wait_until(Clock::now() + patience_, [&] { return answered_ >= question; })) co_return head_;
    late_ = true;
    co_return std::string();
}

std::string AuditHeads::text(const AuditHead& head) {
    if (head.sequence == 0 || head.digest.size() != 32) return {};
    return std::to_string(head.sequence) + ":" + services::hexadecimal(head.digest);
}

Task<> AuditHeads::ask_while_wanted() {
    while (asked_ < wanted_) {
        const std::uint64_t question = ++asked_;
        std::string text;
        try {
            text = AuditHeads::text(co_await ask_());
        } catch (const std::exception&) {
            // The reply says nothing of the head then.
        }
        head_ = std::move(text);
        answered_ = question;
        late_ = false;
        answer_came_.notify();
    }
    asking_ = false;
}

} // namespace engine
