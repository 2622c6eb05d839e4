// The sandbox lock (see wait.hpp for what it guards).
#pragma once

namespace personality {

// Not recursive. On the build machine, where tests have one thread, they only keep count.
void lock_sandbox();
void unlock_sandbox();

class SandboxLock {
public:
    SandboxLock() { lock(); }
    ~SandboxLock() {
        if (held_)
            unlock();
    }
    SandboxLock(const SandboxLock&) = delete;
    SandboxLock& operator=(const SandboxLock&) = delete;
    void lock() {
        lock_sandbox();
        held_ = true;
    }
    void unlock() {
        held_ = false;
        unlock_sandbox();
    }

private:
    bool held_ = false;
};

// Lets go of the lock for a while: where a function that is called with it must touch guest memory or wait.
class SandboxUnlock {
public:
    SandboxUnlock() { unlock_sandbox(); }
    ~SandboxUnlock() { lock_sandbox(); }
    SandboxUnlock(const SandboxUnlock&) = delete;
    SandboxUnlock& operator=(const SandboxUnlock&) = delete;
};

} // namespace personality
