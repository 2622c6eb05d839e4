// A session of process groups and its controlling terminal.
#pragma once
#include "lib/base/ref.hpp"
#include "linux/core/file.hpp"

namespace personality {

// Sandbox lock.
struct Session : base::RefCounted<Session> {
    explicit Session(std::int32_t id) : id(id) {}
    std::int32_t id; // pid of its leader
    base::Ref<File> terminal;
    std::int32_t foreground_group = 0; // of the terminal; 0: none
};

} // namespace personality
