// String: text whose every allocation can fail. Always ends with a NUL that is not counted.
#pragma once
#include "lib/base/result.hpp"
#include "lib/base/vector.hpp"

#include <cstddef>
#include <string_view>

namespace base {

class String {
public:
    String() = default;
    String(String&& other) noexcept = default;
    String& operator=(String&& other) noexcept = default;

    // Errors of all that grow: no_memory; the text is unchanged then.
    static Result<String> from(std::string_view text) {
        String result;
        TRY(result.append(text));
        return result;
    }
    // All parts, one after the other.
    template <class... Parts> static Result<String> join(const Parts&... parts) {
        String result;
        TRY(result.reserve((std::string_view(parts).size() + ... + 0)));
        for (const std::string_view part : std::initializer_list<std::string_view>{std::string_view(parts)...})
            TRY(result.append(part));
        return result;
    }
    Result<String> clone() const { return from(view()); }

    Result<void> reserve(std::size_t size) { return text_.reserve(size + 1); }
    // The text must not be a part of this string.
    Result<void> append(std::string_view text) {
        TRY(reserve_for(text.size()));
        if (!text_.empty())
            text_.pop_back();
        // Room for all of it is there, so neither can fail.
        TRY(text_.append({text.data(), text.size()}));
        return text_.push_back(0);
    }
    Result<void> push_back(char character) { return append({&character, 1}); }
    // Drops everything behind the first `size` characters.
    void truncate(std::size_t size) {
        if (size >= this->size())
            return;
        while (text_.size() > size + 1)
            text_.pop_back();
        text_[size] = 0;
    }
    void clear() { text_.clear(); }

    std::size_t size() const { return text_.empty() ? 0 : text_.size() - 1; }
    bool empty() const { return size() == 0; }
    std::string_view view() const { return {text_.data(), size()}; }
    operator std::string_view() const { return view(); }
    const char* c_str() const { return text_.empty() ? "" : text_.data(); }
    char operator[](std::size_t index) const {
        if (index >= size()) [[unlikely]]
            __builtin_trap();
        return text_[index];
    }
    bool operator==(const String& other) const { return view() == other.view(); }
    bool operator==(std::string_view other) const { return view() == other; }
    auto operator<=>(const String& other) const { return view() <=> other.view(); }

private:
    Result<void> reserve_for(std::size_t more) {
        const std::size_t needed = size() + more + 1;
        if (more > SIZE_MAX / 4 || needed <= text_.capacity())
            return more > SIZE_MAX / 4 ? Result<void>(fail(Error::no_memory)) : Result<void>();
        return text_.reserve(needed > 2 * text_.capacity() ? needed : 2 * text_.capacity());
    }
    Vector<char> text_;
};

} // namespace base
