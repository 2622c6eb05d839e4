// Messages of the channel `store`: immutable, content-addressed Memory, kept on a quota of its own. Payload: ChannelHeader, then TLV records. Only the management sandbox has
// this channel. Any failed request may carry `reason` (text for a person) in its reply.
#pragma once
#include "abi/types.hpp"

namespace abi::store {

enum class Message : std::uint32_t {
    // out: blob (number, good on this connection alone); one descriptor: a writable file of one page, to be grown by writing to it. Its pages are the store's as they come to be: a write that finds
    // no room fails (ENOSPC). What is not committed goes with the connection. errors: no_memory, no_slots (too many at once)
    blob_create = 1,
    // in: blob, key, size (bytes, whole pages, at least one). The Memory is cut to the size and sealed: no descriptor and no mapping changes it any more.
    // errors: not_found (no such blob), exists (the key has one; the new blob goes), bad_argument, no_slots
    blob_commit = 2,
    // in: key. out: size; one read-only descriptor. errors: not_found, bad_argument
    blob_open = 3,
    // in: key. Who has it open keeps it. errors: not_found, bad_argument
    blob_remove = 4,
    // in: skip (that many blobs, in the order of their commits). out: count (of all blobs); per blob, at most list_most: key, size
    blob_list = 5,
    // out: capacity, used (bytes; what is being written counts)
    usage = 6,
    // in: blob. Given up before it was committed. errors: not_found
    blob_drop = 7,
};

// `key` is text: "sha256:" and 64 lower-case hexadecimal digits. For a layer: its diffID, the digest of the uncompressed archive that the blob was made of. Whoever commits
// vouches for it: the store cannot compute it from the blob.
enum class Tag : std::uint16_t { reason = 1, size = 2, key = 3, blob = 4, skip = 5, count = 6, capacity = 7, used = 8 };

inline constexpr std::uint64_t list_most = 512;

} // namespace abi::store
