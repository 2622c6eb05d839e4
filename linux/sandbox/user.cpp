#include "linux/sandbox/user.hpp"

#include "linux/fs/operations.hpp"

#include <optional>

namespace personality {

namespace {

constexpr std::size_t largest_database = 256 * 1024;

constexpr std::uint64_t largest_id = INT32_MAX;

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// None where it is no number, or one that no user or group may have.
std::optional<std::uint32_t> number(std::string_view text) {
    if (text.size() > 10 || !is_number(text))
        return {};
    std::uint64_t value = 0;
    for (const char digit : text)
        value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    if (value > largest_id)
        return {};
    return static_cast<std::uint32_t>(value);
}

std::string_view cut(std::string_view& rest, char separator) {
    const std::size_t at = rest.find(separator);
    const std::string_view part = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
    return part;
}

// What is missing, or no regular file, is an empty one: images hold what they like, and nothing is waited for here.
LinuxResult<base::Vector<char>> read_file(const PathContext& context, std::string_view path) {
    base::Vector<char> text;
    const auto place = walk_path(context, context.root, path, walk_flag::follow);
    if (!place || !place->inode()->is_regular())
        return text;
    auto file = open_path(context, context.root, path, {open_flag::nonblock, 0, 0});
    if (!file)
        return text;
    while (text.size() < largest_database) {
        std::byte part[1024];
        const std::size_t count = TRY((*file)->read(part));
        if (count == 0)
            break;
        if (!text.append({reinterpret_cast<const char*>(part), count}))
            return fail(Errno::ENOMEM);
    }
    return text;
}

struct Entry {
    std::string_view name, id, group, home;
};

// passwd: name:password:uid:gid:gecos:home:shell
template <class Match> bool find_entry(std::string_view text, Match match, Entry& found) {
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        Entry entry;
        entry.name = cut(line, ':');
        cut(line, ':');
        entry.id = cut(line, ':');
        entry.group = cut(line, ':');
        cut(line, ':');
        entry.home = cut(line, ':');
        if (match(entry)) {
            found = entry;
            return true;
        }
    }
    return false;
}

// group: name:password:gid:user,user
LinuxResult<void> add_groups(std::string_view text, std::string_view user, GroupList& list) {
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        cut(line, ':');
        cut(line, ':');
        const auto id = number(cut(line, ':'));
        while (id && !line.empty())
            if (cut(line, ',') == user && !list.ids.push_back(*id))
                return fail(Errno::ENOMEM);
    }
    return {};
}

LinuxResult<std::uint32_t> find_group(std::string_view text, std::string_view name) {
    Entry entry;
    if (find_entry(text, [&](const Entry& one) { return one.name == name; }, entry))
        if (const auto id = number(entry.id)) // the third field of both files
            return *id;
    if (const auto id = number(name))
        return *id;
    return fail(is_number(name) ? Errno::id_range : Errno::unknown_group);
}

} // namespace

LinuxResult<User> find_user(const PathContext& context, std::string_view text) {
    const base::Vector<char> users = TRY(read_file(context, "/etc/passwd")), groups = TRY(read_file(context, "/etc/group"));
    const std::string_view user_text(users.data(), users.size()), group_text(groups.data(), groups.size());
    std::string_view rest = text;
    const std::string_view user = cut(rest, ':');
    User result;
    Entry entry;
    std::optional<std::uint32_t> id = user.empty() ? 0 : number(user);
    const bool known = find_entry(user_text, [&](const Entry& one) { return id ? number(one.id) == id : one.name == user; }, entry);
    if (!id) {
        if (!known || !(id = number(entry.id)))
            return fail(is_number(user) ? Errno::id_range : Errno::unknown_user);
    }
    std::uint32_t group = known ? number(entry.group).value_or(0) : 0;
    if (!rest.empty())
        group = TRY(find_group(group_text, rest));
    Credentials& who = result.credentials;
    who.user = who.effective_user = who.saved_user = who.file_user = *id;
    who.group = who.effective_group = who.saved_group = who.file_group = group;
    if (*id != 0)
        who.permitted = who.effective = 0;
    if (known && rest.empty()) {
        auto* list = new (std::nothrow) GroupList;
        if (list == nullptr)
            return fail(Errno::ENOMEM);
        who.groups = base::Ref<GroupList>::adopt(*list);
        TRY(add_groups(group_text, entry.name, *list));
    }
    const std::string_view home = known && !entry.home.empty() && entry.home.size() < sizeof result.home ? entry.home : std::string_view("/");
    result.home[home.copy(result.home, sizeof result.home - 1)] = 0;
    return result;
}

} // namespace personality
