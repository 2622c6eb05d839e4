#include "linux/exec/program.hpp"

#include "linux/memory/user_memory.hpp"

#include <cstring>

namespace personality {

LinuxResult<void> TextList::add(std::string_view text) {
    if (text.size() >= longest || bytes_.size() + text.size() + 1 > most_bytes)
        return fail(Errno::E2BIG);
    const std::size_t start = bytes_.size();
    if (!bytes_.resize(start + text.size() + 1) || !starts_.push_back(static_cast<std::uint32_t>(start)))
        return fail(Errno::ENOMEM);
    std::memcpy(bytes_.data() + start, text.data(), text.size());
    bytes_[start + text.size()] = 0;
    return {};
}

LinuxResult<void> TextList::prepend(std::span<const std::string_view> texts) {
    TextList fresh;
    for (const std::string_view text : texts)
        TRY(fresh.add(text));
    base::Vector<std::string_view> old;
    TRY(views(old));
    for (const std::string_view text : old)
        TRY(fresh.add(text));
    *this = std::move(fresh);
    return {};
}

LinuxResult<void> TextList::drop_first() {
    base::Vector<std::string_view> old;
    TRY(views(old));
    TextList fresh;
    for (std::size_t i = 1; i < old.size(); ++i)
        TRY(fresh.add(old[i]));
    *this = std::move(fresh);
    return {};
}

LinuxResult<void> TextList::load(std::uint64_t address) {
    if (address == 0)
        return {};
    base::Vector<char> text;
    if (!text.resize(longest))
        return fail(Errno::ENOMEM);
    for (UserPtr<std::uint64_t> at(address);; at = at + 1) {
        const std::uint64_t pointer = TRY(at.read());
        if (pointer == 0)
            return {};
        auto length = copy_string({text.data(), text.size()}, pointer);
        if (!length)
            return fail(length.error() == Errno::ENAMETOOLONG ? Errno::E2BIG : length.error());
        TRY(add({text.data(), *length}));
    }
}

LinuxResult<void> TextList::views(base::Vector<std::string_view>& to) const {
    for (const std::uint32_t start : starts_)
        if (!to.push_back(std::string_view(bytes_.data() + start)))
            return fail(Errno::ENOMEM);
    return {};
}

} // namespace personality
