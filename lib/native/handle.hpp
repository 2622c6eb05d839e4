// Owned: closes its handle when it goes.
#pragma once
#include <utility>

#include "lib/native/kernel.hpp"

namespace native {

class Owned {
public:
    Owned() = default;
    explicit Owned(abi::Handle handle) : handle_(handle) {}
    Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, abi::no_handle)) {}
    Owned& operator=(Owned&& other) noexcept {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, abi::no_handle);
        }
        return *this;
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { reset(); }

    abi::Handle get() const { return handle_; }
    explicit operator bool() const { return handle_ != abi::no_handle; }
    // Gives the handle up to the caller.
    abi::Handle release() { return std::exchange(handle_, abi::no_handle); }
    void reset() {
        if (handle_ != abi::no_handle)
            (void)call::handle_close(std::exchange(handle_, abi::no_handle));
    }

private:
    abi::Handle handle_ = abi::no_handle;
};

// A kernel call that makes a handle, as an owner of it.
inline base::Result<Owned> own(base::Result<abi::Handle> result) {
    if (!result)
        return std::unexpected(result.error());
    return Owned(*result);
}

} // namespace native
