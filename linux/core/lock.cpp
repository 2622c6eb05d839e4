#include "linux/core/lock.hpp"

#include "lib/native/mutex.hpp"

namespace personality {

namespace {
constinit native::Mutex sandbox_mutex;
}

void lock_sandbox() { sandbox_mutex.lock(); }
void unlock_sandbox() { sandbox_mutex.unlock(); }

} // namespace personality
