// Messages of the channel `runtime`: the life of sandboxes. Payload: ChannelHeader, then TLV records. A session sees only sandboxes made in it or in
// sessions of the same principal (badge); with the principal's last session they end. Any failed request may carry `reason` (text for a person) in its reply.
#pragma once
#include "abi/types.hpp"

namespace abi::runtime {

enum class Message : std::uint32_t {
    // in: name (64 hex digits), hostname?, domain_name?, memory_pages?, cpu_quota?, cpu_period?, cpu_shares?, cpu_mask?, task_limit? (threads of all programs), fused?, network? (default 1), publish* ; out: sandbox (number), address (IPv4, network order in the low 32 bits)
    // errors: exists, no_memory, denied (a published port is taken), bad_argument
    sandbox_create = 1,
    // in: sandbox; one descriptor: a sealed EROFS Memory. Layers are added from the lowest up, before the first start.
    sandbox_add_layer = 2,
    // in: sandbox, stream (0 stdin, 1 stdout, 2 stderr; with a terminal 0 is both ways and 1, 2 do not exist); out: one stream descriptor.
    // Streams belong to one run of the sandbox: ask again after each sandbox_prepare.
    sandbox_stream = 3,
    // in: sandbox, argument*, environment*, directory?, user? ("uid[:gid]" or a name of the image's passwd), terminal?, rows?, columns?, stdin_open? ; the reply comes when
    // the program was started or could not be. out: linux_error (0, errno of execve: ENOENT 2, EACCES 13, ENOEXEC 8, ..., or a start_error)
    // errors: timed_out (the sandbox did not say in time, and crashes), canceled (it was destroyed), peer_closed (it crashed)
    sandbox_start = 4,
    // in: sandbox, signal. errors: bad_state when no program runs
    sandbox_signal = 5,
    // in: sandbox, rows, columns
    sandbox_resize = 6,
    // in: sandbox. Ends what runs and frees everything. The reply comes when all is freed.
    sandbox_destroy = 7,
    // in: after (event sequence number seen last; 0 at first). Blocks until there is an event after it. out: per event one `event` record: EventRecord
    next_event = 8,
    // out: version, cpu_count, free_pages, total_pages, table_pages, restarts, object* (ObjectCount), missing_call* (MissingCall), sandbox_count, idle_wakeups* (by CPU), warning*,
    // idle figures as they come: unknown tags are to be ignored
    node_info = 9,
    // in: sandbox; out: memory_pages (used), and as the sandbox itself tells them cpu_nanoseconds, received_bytes, sent_bytes, tasks; of one that does not tell, memory_pages alone
    sandbox_inspect = 10,
    // in: sandbox. Prepares the next run: new streams. Called before the streams are asked for and before each sandbox_start; the layer is kept.
    sandbox_prepare = 11,
    // in: after (number of the line seen last; 0 at first); out: per line kept after it one `log_line`, at most log_lines_at_once: where there are so many, ask again
    node_log = 12,
    // The first message of a client that knows of no sandbox: those that its predecessor made, and the predecessor's sessions, end. The reply comes when all is freed.
    begin = 13,
    // in: sandbox, cpu_quota?, cpu_period?, cpu_shares?, cpu_mask?: all of them anew, what is absent as at sandbox_create. Reaches programs that run. errors: bad_argument
    sandbox_update = 14,
    // out: audit_sequence, audit_digest: of the newest batch of the audit log (abi/audit.hpp); what was recorded in the last seconds need not be in it
    audit_head = 15,
    // in: after (sequence of the last batch seen; 0 at first); out: per batch kept after it one `audit_batch`, the oldest first, at most audit_batches_at_once: where there are so many, ask again
    audit_read = 16,
    // As audit_head, once all that the kernel had recorded when the request came is sealed and kept. errors: not_found (no audit log is kept)
    audit_seal = 17,
};

enum class Tag : std::uint16_t {
    reason = 1,
    name = 2,
    hostname = 3,
    memory_pages = 4,
    cpu_quota = 5,  // microseconds of processor time in each period; 0 or absent: no limit
    cpu_shares = 6, // Docker's: processor time where there is not enough of it, against 1024 of any other; 0 or absent: 1024
    fused = 7,
    network = 8,
    publish = 9, // Publish
    sandbox = 10,
    address = 11,
    stream = 12,
    argument = 13,
    environment = 14,
    directory = 15,
    user = 16,
    terminal = 17,
    rows = 18,
    columns = 19,
    stdin_open = 20,
    linux_error = 21,
    signal = 22,
    after = 23,
    event = 24, // EventRecord
    version = 25,
    cpu_count = 26,
    free_pages = 27,
    total_pages = 28,
    table_pages = 29,
    restarts = 30,
    object = 31,       // ObjectCount
    missing_call = 32, // MissingCall
    sandbox_count = 33,
    cpu_nanoseconds = 34,
    received_bytes = 35,
    sent_bytes = 36,
    tasks = 37, // threads of all programs
    mac = 38,              // 6 bytes
    gateway = 39,          // IPv4
    address_to_name = 40,  // text "ADDRESS NAME": a line for /etc/hosts
    name_server = 41,      // IPv4
    uplink_address = 42,   // IPv4
    monotonic = 43,        // nanoseconds since boot
    context_switches = 44,
    root_loads = 45,
    boot_nanoseconds = 46, // kernel's first instruction to now
    log_line = 47,         // LogLine
    task_limit = 48,
    cpu_period = 49,     // microseconds; 0 or absent: 100,000
    memory_limited = 50, // memory_pages is what was asked for, not all that there is
    idle_wakeups = 51,   // how often an interrupt ended a CPU's halt
    cpu_mask = 52,       // the processors that its programs may run on, bit i for processor i; 0 or absent: all
    warning = 53,        // text: what whoever trusts this node has to know
    audit_sequence = 54, // 0: there is none yet
    audit_digest = 55,   // 32 bytes
    audit_batch = 56,    // AuditBatch
    domain_name = 57,    // of NIS and behind the host's name in /etc/hosts
};

// Values of linux_error beyond those of Linux: who the program was to run as could not be found out, and no program was looked for.
enum class StartError : std::uint32_t {
    unknown_user = 0x10000,  // a name that /etc/passwd does not have
    unknown_group = 0x10001, // a name that /etc/group does not have
    id_range = 0x10002,      // a number beyond 2^31 - 1
};

struct Publish {
    std::uint32_t protocol; // 6 TCP, 17 UDP
    std::uint16_t node_port;
    std::uint16_t sandbox_port;
};

enum class Event : std::uint32_t {
    exited = 1,     // detail: Linux wait status (exit code << 8, or signal number)
    crashed = 2,    // the personality itself ended; the layer is lost
    no_memory = 3,  // the sandbox' quota was exhausted and a program was ended for it; `exited` follows
};

struct EventRecord {
    std::uint64_t sequence;
    std::uint64_t sandbox;
    std::uint32_t event; // Event
    std::uint32_t detail;
    std::uint64_t realtime_nanoseconds;
};

struct ObjectCount {
    char kind[24]; // NUL-padded, as in abi::ObjectKind
    std::uint64_t count;
};

struct MissingCall {
    std::uint64_t sandbox;
    std::uint32_t number; // Linux system call number
    std::uint32_t count;
};

// A line of the node's log.
struct LogLine {
    std::uint64_t number;      // from 1 on; those missing before it are no longer kept
    std::uint64_t nanoseconds; // since boot
    std::uint32_t text_bytes;  // of `text`; printable ASCII
    char writer[36];           // NUL-padded
    char text[256];
};
inline constexpr unsigned log_lines_at_once = 256;
inline constexpr unsigned audit_batches_at_once = 16;

} // namespace abi::runtime
