// Messages of the channel `store`: immutable content-addressed Memory. Payload: ChannelHeader, then TLV records. Only `images` has this channel.
#pragma once
#include "abi/types.hpp"

namespace abi::store {

enum class Message : std::uint32_t {
    // in: size (bytes). out: one descriptor: a writable file of that size.
    blob_create = 1,
    // in: key (text, "sha256:..." of the uncompressed layer: its diffID), size (final bytes); one descriptor: the file of blob_create. The Memory is sealed, then hashed.
    // out: digest (32 bytes, SHA-256 of the sealed content). errors: exists, bad_argument
    blob_commit = 2,
    // in: key. out: one read-only descriptor, size. errors: not_found
    blob_open = 3,
    // in: key. errors: not_found
    blob_delete = 4,
    // out: per blob key, size, digest
    blob_list = 5,
};

enum class Tag : std::uint16_t { reason = 1, size = 2, key = 3, digest = 4 };

} // namespace abi::store
