// The audit log: what was granted, taken and refused, in records that the kernel chains by SHA-256. All integers are little-endian.
//
// The kernel seals records in batches; whoever has the right takes them in order, one at a time, and none is given up before the next one is asked for. The digest of a batch is
// SHA-256 of the whole batch as it stands here, `digest` being zeros; `previous` is the digest of the one before, zeros in the first one since the boot. So a batch cannot be
// changed, left out, doubled or moved without the digests behind it; the last digest, the *head*, stands for all of them.
#pragma once
#include <cstdint>

#include "abi/types.hpp"

namespace abi {

enum class AuditOperation : std::uint16_t {
    none = 0,
    boot = 1,       // the first record: `time` of the monotonic clock, `text` 32 random bytes of this boot
    lost = 2,       // `count` records of this CPU are missing here: they came behind the one of it that stands before this, and before the next one
    create = 3,     // `object` of `kind` was made, charged to the quota `other`, to be reached under the lease `lease`; a lease: below `lease`. Of a device: what of it, in `place`
    mint = 4,       // a capability for `object` with `rights` was made with the badge `badge`, or under the lease `lease`, for the process itself
    grant = 5,      // process_grant: the process `other` has got `object` with `rights`
    transfer = 6,   // a message took `object` with `rights` to the process `other`
    revoke = 7,     // all capabilities under the lease `object` ended
    execute = 8,    // pages of the Memory `object` may be executed by the native code of the space `other`, at `place`
    kill = 9,       // the process or thread `object`, which had not ended, was ended by another process
    end = 10,       // the process `object` ended: reason in `error`, status in `place`
    denial = 11,    // `count` times `process` was refused the call `call` with the error `error`
    unbind = 12,    // an interrupt, or the memory that an IoSpace gave to devices, was given up: `object`; an interrupt's source in `place`, by process 0
    bind = 13,      // an interrupt, memory or ports of a device were taken: `object` of `kind`; for the IoSpace `other`, where there is one; what of it in `place`
    destroy = 14,   // the quota `object` was destroyed with all that was charged to it
    name = 15,      // a program of the node says what `object` is: `text`
    launch = 16,    // a program of the node says by which launch record the process `object` was made: `text` is its SHA-256
    use = 18,       // the process made the call `call` on `object` of `kind`, which is another process', rules it, or is its thread or space (`other`: the number of that process, where there is
                    // one); or it made `call`, which reads a log, for the first time
    take_back = 19, // a transfer or grant of `object` with `rights` to `other`, recorded before, did not come about
};

// One record. What an operation does not speak of is 0. Objects, processes among them, have numbers that are not used again before the next boot; 0 is the kernel.
struct AuditRecord {
    std::uint64_t time; // nanoseconds of the monotonic clock
    AuditOperation operation;
    std::uint16_t cpu;     // records of one CPU are in the order of their time, those of several may be not
    std::uint16_t kind;    // ObjectKind of `object`
    std::uint16_t call;    // denial, use: the call's number
    std::uint64_t process; // who did it
    std::uint64_t object;
    union {
        struct {
            std::uint64_t other;
            Rights rights;
            std::uint32_t error; // denial: abi::Error; end: abi::EndReason
            union {
                std::uint64_t badge; // mint, grant, transfer
                std::uint64_t place; // execute: address; end: status; create, bind: first address or port, or the source of an interrupt (all ones: by messages)
                std::uint64_t count; // lost, denial
            };
            std::uint64_t lease; // the lease that the capability lies under, 0 for none
        };
        std::uint8_t text[32]; // name: padded with zeros; boot, launch: 32 bytes
    };
};
static_assert(sizeof(AuditRecord) == 64);

inline constexpr std::uint32_t audit_batch_magic = 0x31445541; // "AUD1"
inline constexpr std::size_t audit_batch_records = 62;

struct AuditBatch {
    std::uint32_t magic;
    std::uint32_t count;    // records in it, at least 1; the others are zeros
    std::uint64_t sequence; // from 1 on, since the boot
    std::uint64_t sealed;   // nanoseconds of the monotonic clock
    std::uint64_t boot;     // random, the same in all batches of a boot
    std::uint8_t reserved[32];
    std::uint8_t previous[32];
    std::uint8_t digest[32];
    AuditRecord records[audit_batch_records];
};
static_assert(sizeof(AuditBatch) == page_size);

// What a caller of audit_read says to have kept that has nothing from which it can go on: it is given the newest batch that was sealed, again, or the next one where there is none.
inline constexpr std::uint64_t audit_kept_nothing = UINT64_MAX;

// What audit_note says of an object. `operation` is `name` or `launch`.
struct AuditNote {
    AuditOperation operation;
    std::uint16_t reserved[3];
    std::uint8_t text[32];
};

// Bits that the kernel signals to who takes the records.
namespace audit_signal {
inline constexpr std::uint64_t some = 1; // there are records again, since a batch was asked for and there was none
inline constexpr std::uint64_t many = 2; // room for more is short: who makes them will wait
} // namespace audit_signal

// The store: a Memory of the log server's, which it shows to others for reading. The header's page, then `capacity` pages; the batch of sequence s is page s % capacity of those, so
// the last `capacity` batches are kept. A reader copies a batch and then looks whether `first` still allows for it.
inline constexpr std::uint32_t audit_store_magic = 0x53445541; // "AUDS"

struct AuditStoreHeader {
    std::uint32_t magic;
    std::uint32_t capacity;
    std::uint64_t first; // sequence of the oldest batch that is kept, that of the first one at the begin; written before its place is used again
    std::uint64_t last;  // of the newest one, 0 before there is any; written when it is whole
    std::uint64_t boot;  // of the batches; of another boot they are worth nothing
    std::uint64_t begun; // sequence of the first batch that was kept here: more than 1 where the store began anew and what was before is missing
};

} // namespace abi
