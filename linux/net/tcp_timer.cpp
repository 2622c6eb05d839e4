#include "linux/net/tcp_timer.hpp"

#include "lwip/priv/tcp_priv.h"

#include "linux/ipc/clock.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace personality::net {

namespace {

constexpr std::uint64_t millisecond = 1'000'000;
// What lwIP calls its slow timer: retransmissions, probes and the ends of states are counted in it. The fast one sends what was put off for a moment.
constexpr std::uint64_t tick = TCP_SLOW_INTERVAL * millisecond, moment = TCP_FAST_INTERVAL * millisecond;
constexpr std::uint64_t none = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint8_t persist_backoff[] = {3, 6, 12, 24, 48, 96, 120}; // tcp.c's table of this name

// Ticks until something is older than `limit`.
std::uint64_t until_older(const tcp_pcb& pcb, std::uint64_t limit) {
    const std::uint64_t age = static_cast<u32_t>(tcp_ticks - pcb.tmr);
    return age > limit ? 1 : limit - age + 1;
}

std::uint64_t transmission(const tcp_pcb& pcb) {
    if (pcb.nrtx >= (pcb.state == SYN_SENT ? TCP_SYNMAXRTX : TCP_MAXRTX))
        return 1;
    if (pcb.persist_backoff > 0) {
        const unsigned wanted = persist_backoff[std::min<std::size_t>(pcb.persist_backoff, std::size(persist_backoff)) - 1];
        return pcb.persist_probe < TCP_MAXRTX && pcb.persist_cnt < wanted ? wanted - pcb.persist_cnt : 1;
    }
    if (pcb.unsent != nullptr)
        return 1; // each tick tries again where memory was short
    if (pcb.rtime < 0)
        return none;
    return pcb.rtime < pcb.rto ? static_cast<std::uint64_t>(pcb.rto - pcb.rtime) : 1;
}

std::uint64_t keepalive(const tcp_pcb& pcb) {
    if (!ip_get_option(&pcb, SOF_KEEPALIVE) || (pcb.state != ESTABLISHED && pcb.state != CLOSE_WAIT))
        return none;
    const std::uint64_t end = (pcb.keep_idle + pcb.keep_cnt * pcb.keep_intvl) / TCP_SLOW_INTERVAL;
    const std::uint64_t probe = (pcb.keep_idle + pcb.keep_cnt_sent * pcb.keep_intvl) / TCP_SLOW_INTERVAL;
    return until_older(pcb, std::min(end, probe));
}

std::uint64_t end_of_state(const tcp_pcb& pcb) {
    switch (pcb.state) {
    case FIN_WAIT_2: return (pcb.flags & TF_RXCLOSED) != 0 ? until_older(pcb, TCP_FIN_WAIT_TIMEOUT / TCP_SLOW_INTERVAL) : none;
    case SYN_RCVD: return until_older(pcb, TCP_SYN_RCVD_TIMEOUT / TCP_SLOW_INTERVAL);
    case LAST_ACK: case TIME_WAIT: return until_older(pcb, 2 * TCP_MSL / TCP_SLOW_INTERVAL);
    default: return none;
    }
}

// Ticks until tcp_slowtmr() does something for this connection but count.
std::uint64_t next_event(const tcp_pcb& pcb) {
    std::uint64_t next = std::min({transmission(pcb), keepalive(pcb), end_of_state(pcb)});
    if (const std::uint64_t kept = static_cast<u32_t>(pcb.rto) * TCP_OOSEQ_TIMEOUT; pcb.ooseq != nullptr)
        next = std::min(next, kept == 0 ? 1 : until_older(pcb, kept - 1));
    return next;
}

bool put_off(const tcp_pcb& pcb) { return (pcb.flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) != 0 || pcb.refused_data != nullptr; }

} // namespace

// Counts ticks that have passed, but for one in which something happens: that is for run().
void TcpTimer::count(std::uint64_t now) {
    if (now < last_tick_ + tick)
        return;
    std::uint64_t passed = (now - last_tick_) / tick;
    if (ticks_to_event_ != none) {
        passed = std::min(passed, ticks_to_event_ - 1);
        ticks_to_event_ -= passed;
    }
    last_tick_ += passed * tick;
    tcp_ticks += static_cast<u32_t>(passed);
    const auto add = [passed](auto counter, std::uint64_t most) { return static_cast<decltype(counter)>(std::min(static_cast<std::uint64_t>(counter) + passed, most)); };
    for (tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr && passed != 0; pcb = pcb->next)
        if (pcb->persist_backoff > 0)
            pcb->persist_cnt = add(pcb->persist_cnt, std::numeric_limits<u8_t>::max());
        else if (pcb->rtime >= 0)
            pcb->rtime = add(pcb->rtime, std::numeric_limits<s16_t>::max());
}

void TcpTimer::catch_up(std::uint64_t now) {
    count(now);
    look_ = std::min(look_, now + moment);
}

void TcpTimer::plan(std::uint64_t now) {
    ran_ = false;
    ticks_to_event_ = none;
    for (const tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr; pcb = pcb->next) {
        ticks_to_event_ = std::min(ticks_to_event_, next_event(*pcb));
        if (put_off(*pcb))
            look_ = std::min(look_, now + moment);
    }
    for (const tcp_pcb* pcb = tcp_tw_pcbs; pcb != nullptr; pcb = pcb->next)
        ticks_to_event_ = std::min(ticks_to_event_, end_of_state(*pcb));
}

abi::Deadline TcpTimer::next() {
    // Not at the end of run(): what it sent to the sandbox itself has been delivered by now.
    if (ran_)
        plan(monotonic_now());
    return ticks_to_event_ == none ? look_ : std::min<abi::Deadline>(look_, last_tick_ + ticks_to_event_ * tick);
}

void TcpTimer::run(std::uint64_t now) {
    if (now < next())
        return;
    count(now);
    if (now >= look_) {
        look_ = abi::never;
        tcp_fasttmr();
        ran_ = true;
    }
    if (ticks_to_event_ == 1 && now >= last_tick_ + tick) {
        last_tick_ = now; // whoever came late does not hurry afterwards
        tcp_slowtmr();
        ran_ = true;
    }
}

} // namespace personality::net
