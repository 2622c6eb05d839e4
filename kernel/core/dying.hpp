// What a thread has still to destroy.
#pragma once

namespace kernel {

class Object;

// Objects without references whose turn comes when the thread is done with the one it is at work on. Of that thread alone.
struct Dying {
    bool at_work = false;
    Object* first = nullptr;
};

} // namespace kernel
