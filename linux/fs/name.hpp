// An owned, immutable piece of text: the name of a directory entry, the target of a symbolic link.
#pragma once
#include "linux/core/errno.hpp"

#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace personality {

class Name {
public:
    Name() = default;
    Name(Name&& other) noexcept : text_(std::exchange(other.text_, nullptr)), length_(std::exchange(other.length_, 0)) {}
    Name& operator=(Name&& other) noexcept {
        std::swap(text_, other.text_);
        std::swap(length_, other.length_);
        return *this;
    }
    ~Name() { delete[] text_; }

    static LinuxResult<Name> make(std::string_view text) {
        Name name;
        if (text.empty())
            return name;
        name.text_ = new (std::nothrow) char[text.size()];
        if (name.text_ == nullptr)
            return fail(Errno::ENOMEM);
        std::memcpy(name.text_, text.data(), text.size());
        name.length_ = static_cast<std::uint32_t>(text.size());
        return name;
    }
    std::string_view view() const { return {text_, length_}; }

private:
    char* text_ = nullptr;
    std::uint32_t length_ = 0;
};

} // namespace personality
