#include "linux/fs/test_support.hpp"

#include "linux/fs/devices.hpp"
#include "linux/fs/quota.hpp"

#include <cstdlib>
#include <ctime>

namespace personality {

std::function<bool()> test::while_asleep;

Timestamp file_time_now() {
    static std::int64_t ticks = 0; // moves on with every look, so that an order of events can be seen
    ++ticks;
    return {1'700'000'000 + ticks / 1000, static_cast<std::uint32_t>(ticks % 1000)};
}
QuotaFigures quota_figures() { return {65536, 1024, 2}; }
void random_bytes(std::span<std::byte> to) {
    for (std::byte& byte : to)
        byte = static_cast<std::byte>(std::rand());
}

namespace test {

Tree::Tree(std::span<const Layer* const> layers) {
    file_system.reset(*RamFileSystem::make_layered(layers));
    (void)*mounts.mount(*file_system, {}, 0);
    root = current = mounts.root();
}

int Tree::make_directory(std::string_view path, std::uint32_t permissions) {
    return number(make_node(context(), current, path, {mode::directory | permissions, 0, 0}));
}
int Tree::make_link(std::string_view target, std::string_view path) {
    return number(make_node(context(), current, path, {mode::symlink | 0777, 0, 0, 0, target}));
}
int Tree::unlink(std::string_view path) { return number(unlink_path(context(), current, path)); }
int Tree::remove_directory(std::string_view path) { return number(personality::remove_directory(context(), current, path)); }
int Tree::rename(std::string_view from, std::string_view to, std::uint32_t flags) {
    return number(rename_path(context(), current, from, current, to, flags));
}
int Tree::hard_link(std::string_view from, std::string_view to) {
    auto target = walk_path(context(), current, from, 0);
    return target ? number(link_path(context(), *target, current, to)) : number(target);
}
int Tree::stat(std::string_view path, KernelStat& stat, bool follow) {
    auto found = walk_path(context(), current, path, follow ? walk_flag::follow : 0);
    if (!found)
        return number(found);
    found->inode()->stat(stat);
    return 0;
}
LinuxResult<base::Ref<File>> Tree::open(std::string_view path, std::uint32_t flags, std::uint32_t permissions) {
    return open_path(context(), current, path, {flags, permissions, 0});
}
int Tree::write_file(std::string_view path, std::string_view text) {
    auto file = open(path, open_flag::write_only | open_flag::create | open_flag::truncate);
    return file ? number((*file)->write(std::as_bytes(std::span(text)))) : number(file);
}
std::string Tree::read_file(std::string_view path) {
    auto file = open(path, open_flag::read_only);
    if (!file)
        return "errno " + std::to_string(-number(file));
    std::string text;
    char buffer[1000];
    for (;;) {
        auto count = (*file)->read(std::as_writable_bytes(std::span(buffer)));
        if (!count)
            return "errno " + std::to_string(-number(count));
        if (*count == 0)
            return text;
        text.append(buffer, *count);
    }
}
std::string Tree::list(std::string_view path) {
    auto file = open(path, open_flag::read_only | open_flag::directory);
    if (!file)
        return "errno " + std::to_string(-number(file));
    struct Sink final : DirectorySink {
        bool entry(std::uint64_t, std::uint64_t, std::uint8_t, std::span<const char> name) override {
            const std::string text(name.begin(), name.end());
            if (text != "." && text != "..")
                names += (names.empty() ? "" : " ") + text;
            return true;
        }
        std::string names;
    } sink;
    (void)(*file)->list(sink);
    return sink.names;
}

} // namespace test
} // namespace personality
