// The programs of the node: started as the image file says, and started again when they end.
#pragma once
#include <cstdint>

#include "lib/native/handle.hpp"
#include "lib/native/launch.hpp"
#include "lib/native/port.hpp"
#include "lib/native/root_image.hpp"
#include "servers/init/image_file.hpp"

namespace init {

class Node {
public:
    // Both are borrowed for the node's life.
    Node(const ImageFile& file, const native::RootImage& root) : file_(file), root_(root) {}

    // Makes the endpoints and starts every program. A program that cannot be started is reported and left out; the others start.
    base::Result<void> start();
    // Restarts what ends. Returns when nothing runs any more.
    void watch();

private:
    struct Running {
        native::Owned quota, budget, process;
        std::uint32_t starts = 0;
        bool waits = false; // for its next start
    };

    base::Result<void> start_program(std::size_t index);
    base::Result<native::Grant> grant(const GrantLine& line, native::Owned& temporary);
    void on_end(std::size_t index);
    void start_again(std::size_t index);
    bool may_start_again(std::size_t index) const;
    void release(Running& running);
    void note_name(const Program& program, abi::Handle process);

    const ImageFile& file_;
    const native::RootImage& root_;
    native::Notification ended_; // bit i: program i
    // Init keeps both sides of every endpoint: callers of a dead server wait for the next one instead of failing.
    native::Owned endpoints_[max_endpoints];
    native::Owned kept_[max_kept]; // made when its program first starts
    Running running_[max_programs];
    bool audited_ = true; // false: the kernel has no audit log
};
static_assert(max_programs <= 64);

} // namespace init
