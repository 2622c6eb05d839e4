// Options of TCP sockets (tcp(7)).
#include "linux/net/tcp_socket.hpp"

#include "lwip/priv/tcp_priv.h"

#include "lib/base/result.hpp"
#include "linux/fs/ioctl.hpp"
#include "linux/net/stack.hpp"

#include <algorithm>
#include <string_view>

namespace personality {

namespace {

// The part of struct tcp_info that says what is known here; a program that wants more gets zeros past it, as from an older Linux.
struct Information {
    std::uint8_t state, congestion_state, retransmits, probes, backoff, options, scales, delivery_limits;
    std::uint32_t rto, ato, send_segment, receive_segment;
    std::uint32_t unacknowledged, sacked, lost, retransmitted, forward_acknowledged;
    std::uint32_t last_data_sent, last_ack_sent, last_data_received, last_ack_received;
    std::uint32_t path_mtu, receive_threshold, round_trip, round_trip_variance, send_threshold, congestion_window, advertised_segment, reordering;
};
static_assert(sizeof(Information) == 92);

constexpr std::string_view only_congestion = "reno";

} // namespace

// The numbers of include/net/tcp_states.h.
std::uint8_t linux_tcp_state(int state) {
    switch (state) {
    case ESTABLISHED: return 1;
    case SYN_SENT: return 2;
    case SYN_RCVD: return 3;
    case FIN_WAIT_1: return 4;
    case FIN_WAIT_2: return 5;
    case TIME_WAIT: return 6;
    case CLOSE_WAIT: return 8;
    case LAST_ACK: return 9;
    case LISTEN: return 10;
    case CLOSING: return 11;
    default: return 7;
    }
}

void TcpSocket::options_changed() {
    if (pcb_ == nullptr)
        return;
    if (options_.reuse_address || options_.reuse_port)
        ip_set_option(pcb_, SOF_REUSEADDR);
    else
        ip_reset_option(pcb_, SOF_REUSEADDR);
    pcb_->ttl = time_to_live_;
    pcb_->tos = type_of_service_;
    if (options_.keep_alive)
        ip_set_option(pcb_, SOF_KEEPALIVE);
    else
        ip_reset_option(pcb_, SOF_KEEPALIVE);
    if (pcb_->state == LISTEN)
        return; // the rest is not part of a listening pcb
    net::begin();
    pcb_->keep_idle = static_cast<u32_t>(keep_idle_) * 1000;
    pcb_->keep_intvl = static_cast<u32_t>(keep_interval_) * 1000;
    pcb_->keep_cnt = static_cast<u32_t>(keep_count_);
    if (no_delay_)
        tcp_nagle_disable(pcb_);
    else
        tcp_nagle_enable(pcb_);
}

LinuxResult<void> TcpSocket::set_option(int level, int name, std::span<const std::byte> value) {
    if (level != socket_level::tcp)
        return InetSocket::set_option(level, name, value);
    using namespace tcp_option;
    if (name == congestion) {
        const std::string_view wanted(reinterpret_cast<const char*>(value.data()), strnlen(reinterpret_cast<const char*>(value.data()), value.size()));
        if (wanted != only_congestion)
            return fail(Errno::ENOENT);
        return {};
    }
    if (value.size() < sizeof(std::int32_t))
        return fail(Errno::EINVAL);
    const std::int32_t number = TRY(option_number(value));
    const auto within = [&](std::int32_t& field, std::int32_t most) -> LinuxResult<void> {
        if (number < 1 || number > most)
            return fail(Errno::EINVAL);
        field = number;
        return {};
    };
    switch (name) {
    case no_delay: no_delay_ = number != 0; break;
    case cork: cork_ = number != 0; break;
    case keep_idle: TRY(within(keep_idle_, 32767)); break;
    case keep_interval: TRY(within(keep_interval_, 32767)); break;
    case keep_count: TRY(within(keep_count_, 127)); break;
    case quick_ack: case defer_accept: case not_sent_low: case linger2: case syn_count: case window_clamp: return {}; // hints about when, not what
    default: return fail(Errno::ENOPROTOOPT);
    }
    options_changed();
    if ((name == no_delay && no_delay_) || (name == cork && !cork_)) {
        if (pcb_ != nullptr && state_ == State::connected) {
            (void)tcp_output(pcb_);
            net::settle();
        }
    }
    return {};
}

LinuxResult<std::size_t> TcpSocket::get_option(int level, int name, std::span<std::byte> value) {
    if (level != socket_level::tcp)
        return InetSocket::get_option(level, name, value);
    using namespace tcp_option;
    std::int32_t number = 0;
    switch (name) {
    case no_delay: number = no_delay_; break;
    case cork: number = cork_; break;
    case segment_size: number = pcb_ != nullptr && state_ == State::connected ? tcp_mss(pcb_) : 536; break;
    case keep_idle: number = keep_idle_; break;
    case keep_interval: number = keep_interval_; break;
    case keep_count: number = keep_count_; break;
    case syn_count: number = TCP_SYNMAXRTX; break;
    case quick_ack: number = 1; break;
    case linger2: case defer_accept: case window_clamp: case user_timeout: case not_sent_low: break;
    case congestion: {
        char text[16] = {};
        std::ranges::copy(only_congestion, text);
        return option_value(value, text);
    }
    case information: {
        Information report{};
        report.state = 7; // TCP_CLOSE
        if (pcb_ != nullptr)
            report.state = linux_tcp_state(pcb_->state);
        if (pcb_ != nullptr && state_ == State::connected) {
            constexpr std::uint32_t tick = TCP_SLOW_INTERVAL * 1000; // microseconds
            report.retransmits = pcb_->nrtx;
            report.scales = static_cast<std::uint8_t>(pcb_->snd_scale | (pcb_->rcv_scale << 4));
            report.options = static_cast<std::uint8_t>(((pcb_->flags & TF_SACK) != 0 ? 2 : 0) | ((pcb_->flags & TF_WND_SCALE) != 0 ? 4 : 0));
            report.rto = static_cast<std::uint32_t>(pcb_->rto) * tick;
            report.send_segment = report.receive_segment = report.advertised_segment = pcb_->mss;
            report.unacknowledged = pcb_->snd_queuelen;
            report.path_mtu = 1500;
            report.round_trip = static_cast<std::uint32_t>(pcb_->sa >> 3) * tick;
            report.congestion_window = pcb_->cwnd / pcb_->mss;
            report.send_threshold = pcb_->ssthresh / pcb_->mss;
            report.reordering = 3;
        }
        return option_value(value, report);
    }
    default: return fail(Errno::ENOPROTOOPT);
    }
    return option_value(value, number);
}

LinuxResult<std::uint64_t> TcpSocket::ioctl(std::uint32_t request, std::uint64_t argument) {
    if (request == ioctl_request::output_queue) { // SIOCOUTQ: not yet acknowledged
        *ioctl_argument<std::int32_t>(argument) =
            pcb_ != nullptr && state_ == State::connected ? static_cast<std::int32_t>(TCP_SND_BUF - pcb_->snd_buf) : 0;
        return std::uint64_t{0};
    }
    return InetSocket::ioctl(request, argument);
}

} // namespace personality
