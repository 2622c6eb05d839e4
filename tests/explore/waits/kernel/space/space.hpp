// A space that gives threads their pages and no more.
#pragma once
#include "kernel/core/tlb_state.hpp"
#include "kernel/object/object.hpp"
#include "tests/explore/waits/machine.hpp"

namespace kernel {

class Space final : public Object {
public:
    Space() : Object(abi::ObjectKind::space) {}
    const RootPair& roots() const { return roots_; }
    base::Result<std::uint64_t> add_thread_page(std::uint64_t& address) {
        address = 0;
        return reinterpret_cast<std::uint64_t>(explore::page_allocate());
    }
    void remove_thread_page(std::uint64_t, std::uint64_t&) {}

private:
    RootPair roots_;
};

} // namespace kernel
