// Which blobs there are, and which are being written. `Memory` owns what a blob's bytes lie in; it is all the same to this code.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "abi/types.hpp"
#include "lib/base/result.hpp"
#include "lib/base/sha256.hpp"
#include "lib/base/vector.hpp"

namespace store {

using Key = base::Sha256::Digest; // what it was committed under

inline constexpr std::string_view key_prefix = "sha256:";
inline constexpr std::size_t key_text_bytes = key_prefix.size() + 64;

// Errors: bad_argument for anything but the prefix and 64 lower-case digits.
base::Result<Key> parse_key(std::string_view text);
std::array<char, key_text_bytes> key_text(const Key& key);

template <class Memory> struct Blob {
    Key key{};
    std::uint64_t size = 0; // bytes
    Memory memory;
};

template <class Memory> class Catalogue {
public:
    static constexpr std::size_t most_blobs = 4096;
    static constexpr std::size_t most_new = 1024; // of all sessions; an image has up to 128 layers

    // A blob to be written by `session`; gives its number. Errors: no_slots, no_memory.
    base::Result<std::uint64_t> begin(std::uint64_t session, Memory memory) {
        if (new_.size() >= most_new)
            return base::fail(abi::Error::no_slots);
        TRY(new_.push_back({session, next_, std::move(memory)}));
        return next_++;
    }
    // Takes it out again, to be committed or dropped. Errors: not_found, for what belongs to another session too.
    base::Result<Memory> take(std::uint64_t session, std::uint64_t number) {
        for (std::size_t i = 0; i < new_.size(); ++i)
            if (new_[i].session == session && new_[i].number == number) {
                Memory memory = std::move(new_[i].memory);
                new_.erase(i);
                return memory;
            }
        return base::fail(abi::Error::not_found);
    }
    void drop_session(std::uint64_t session) {
        for (std::size_t i = new_.size(); i-- > 0;)
            if (new_[i].session == session)
                new_.erase(i);
    }

    // Errors: exists, no_slots, no_memory.
    base::Result<void> may_add(const Key& key) const {
        if (find(key) != nullptr)
            return base::fail(abi::Error::exists);
        return blobs_.size() < most_blobs ? base::Result<void>() : base::fail(abi::Error::no_slots);
    }
    base::Result<void> add(Blob<Memory> blob) {
        TRY(may_add(blob.key));
        return blobs_.push_back(std::move(blob));
    }
    const Blob<Memory>* find(const Key& key) const {
        const auto found = std::find_if(blobs_.begin(), blobs_.end(), [&](const Blob<Memory>& blob) { return blob.key == key; });
        return found == blobs_.end() ? nullptr : &*found;
    }
    bool remove(const Key& key) {
        for (std::size_t i = 0; i < blobs_.size(); ++i)
            if (blobs_[i].key == key) {
                blobs_.erase(i);
                return true;
            }
        return false;
    }

    std::size_t size() const { return blobs_.size(); }
    const Blob<Memory>& operator[](std::size_t index) const { return blobs_[index]; }

private:
    struct New {
        std::uint64_t session, number;
        Memory memory;
    };
    base::Vector<New> new_;
    base::Vector<Blob<Memory>> blobs_;
    std::uint64_t next_ = 1;
};

} // namespace store
