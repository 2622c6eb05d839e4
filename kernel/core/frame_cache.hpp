// What one processor keeps of the free frames, so that most are taken and given back without what all processors share. No architecture code and no lock, so the host tests
// walk it.
#pragma once
#include <cstdint>

namespace kernel {

// Two stacks of frames' addresses: as they came back, and zeroed ahead. Who has one sees to it that a frame is given once, and given as zeroed only where it is.
class FrameCache {
public:
    // Of each kind. A burst of faults takes some dozens of frames before it could be served from elsewhere; more would only keep runs from being joined.
    static constexpr unsigned most = 32;

    // 0 at first: nothing fits. Not below what is kept.
    void set_limit(unsigned limit) { limit_ = limit < most ? limit : most; }
    // What goes to and fro between the cache and the buddies at once: half, so that whoever takes and gives by turns does so rarely.
    unsigned batch() const { return (limit_ + 1) / 2; }

    bool is_full() const { return returned_.count >= limit_; }
    bool has_all_zeroed() const { return zeroed_.count >= limit_; }
    unsigned count() const { return returned_.count + zeroed_.count; }

    // The one that came last, whose content may still be near the processor; 0 where there is none.
    std::uint64_t take() { return returned_.take(); }
    std::uint64_t take_zeroed() { return zeroed_.take(); }
    // Of whatever kind: what is zeroed is for others first.
    std::uint64_t take_any() {
        const std::uint64_t frame = take();
        return frame != 0 ? frame : take_zeroed();
    }

    // There is room.
    void give(std::uint64_t frame) { returned_.give(frame); }
    void give_zeroed(std::uint64_t frame) { zeroed_.give(frame); }

private:
    struct Stack {
        std::uint64_t take() { return count != 0 ? frames[--count] : 0; }
        void give(std::uint64_t frame) { frames[count++] = frame; }
        unsigned count = 0;
        std::uint64_t frames[most] = {};
    };
    Stack returned_;
    Stack zeroed_;
    unsigned limit_ = 0;
};

} // namespace kernel
