// What the tests of wrong arguments work on: one object of each kind, memory of each sort, and all that can be seen of them.
#pragma once
#include <cstdint>

#include "abi/info.hpp"
#include "abi/start.hpp"
#include "kernel/tests/native/test.hpp"
#include "lib/native/handle.hpp"

#include "tests/kernel_negative.inc"

namespace kernel_test {

// All that a program can ask the kernel about its objects, its quota and its space. What time alone changes is left out.
struct Seen {
    static constexpr std::size_t pages = 9, content = 32;
    static constexpr std::size_t kinds = static_cast<std::size_t>(abi::ObjectKind::count);
    std::uint64_t used, tables, objects[32]; // of the quota that pays for all of it
    abi::ProcessInfo process;
    abi::HandleInfo handles[kinds];
    abi::MemoryInfo memory;
    std::byte in_memory[2][content]; // at the begin of its pages
    std::uint64_t thread_page;
    std::uint32_t thread_state, irq_vector;
    std::uint64_t irq_address;
    std::int32_t notification, port, endpoint;           // what a poll of it says
    bool is_there[pages], may_be_written[pages];         // of the room's pages
    std::byte in_room[pages][content];
};

class NegativeWorld {
public:
    static constexpr std::uint64_t page = abi::page_size;
    static constexpr std::uint64_t device_base = 0xfed0'0000; // of a timer that nobody uses
    static constexpr std::uint32_t first_port = 0x80, port_count = 8;

    // False where something could not be made.
    bool make();
    void drop();

    abi::Handle of(abi::ObjectKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }
    // One that the call takes, also where it takes any kind.
    abi::Handle fit_for(const negative::Argument& argument) const;

    // --- the room: a page to be written, nothing, two pages of which the second may be read alone, nothing; then what calls on the space are to change: a page of its
    // own, one of the Memory's, nothing
    std::byte* buffer() const { return at(0); }
    std::byte* before_nothing() const { return at(1); }
    std::byte* before_read_only() const { return at(3); }
    std::byte* target(unsigned number) const { return at(number == 0 ? 5 : 7); }
    std::uint32_t* word() const { return reinterpret_cast<std::uint32_t*>(at(2)); }

    // Begin and size of what values are to lie in.
    struct Extent {
        std::uint64_t begin;
        std::uint64_t size;
    };
    Extent extent(negative::Place place) const;

    // Into a variable that is the same in all its bytes where the same was seen.
    void look(Seen& seen) const;
    void fill_buffer() const;
    // But for so many bytes at its end.
    bool buffer_is_as_filled(std::size_t but) const;

private:
    std::byte* at(std::uint64_t number) const { return reinterpret_cast<std::byte*>(room_ + number * page); }

    abi::Handle kinds_[Seen::kinds] = {};
    std::uint64_t room_ = 0;
    abi::Handle probe_ = 0; // a Memory: what can be copied to it can be read, and the other way
};

} // namespace kernel_test
