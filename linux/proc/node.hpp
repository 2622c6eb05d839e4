// File systems whose contents are made up when they are looked at: /proc and /sys.
//
// A tree is described by constant tables. Nodes are made at each look-up and know their entry and their subject (the process or thread that they tell of), which is
// looked up anew at every use: a node outlives its process, and then says ESRCH.
#pragma once
#include "lib/base/format.hpp"
#include "lib/base/string.hpp"
#include "linux/fs/dentry.hpp"

namespace personality::proc {

// What a node tells of; zero where nothing of the kind is meant.
struct Subject {
    std::int32_t pid = 0;
    std::int32_t tid = 0;
    std::int32_t descriptor = 0;
};

// Text that grows; remembers that memory ended.
class Text {
public:
    template <class... Parts> void add(const Parts&... parts) {
        char line[512];
        put(base::format(line, parts...));
    }
    void put(std::string_view text) { failed_ |= !text_.append(text).has_value(); }
    base::String& string() { return text_; }
    std::string_view view() const { return text_.view(); }
    LinuxResult<void> outcome() const { return failed_ ? fail(Errno::ENOMEM) : LinuxResult<void>(); }

private:
    base::String text_;
    bool failed_ = false;
};

struct Directory;

// All functions: sandbox lock held. Errors: ESRCH (the process is gone), EACCES, ENOMEM, ENOENT.
struct Entry {
    std::string_view name;
    std::uint32_t mode; // type and permissions
    LinuxResult<void> (*text)(Text& to, const Subject& subject) = nullptr; // of regular files, and where symbolic links lead
    const Directory* directory = nullptr;
    LinuxResult<Location> (*target)(const Subject& subject) = nullptr;     // of links that lead to a place, not to a path
    LinuxResult<void> (*store)(std::string_view text, const Subject& subject) = nullptr; // what a write does; null: EACCES at open
};

// A found dynamic entry.
struct Found {
    const Entry* entry = nullptr; // null: there is none
    Subject subject;
};

struct Directory {
    std::span<const Entry> entries;
    // Entries that come and go: by name, and the next one at or behind `number` (its number is behind 2 in listings); null where there are none.
    LinuxResult<Found> (*find)(const Subject& subject, std::string_view name) = nullptr;
    // Gives the next number and its entry, or a null entry at the end.
    LinuxResult<Found> (*next)(const Subject& subject, std::int64_t& number) = nullptr;
};

// Errors: ENOMEM.
LinuxResult<FileSystem*> make_file_system(const Directory& root, std::string_view type_name, std::uint64_t magic);

// The tables of the two trees.
extern const Directory root_directory;
extern const Directory process_directory;
extern const Directory system_control_directory; // /proc/sys
extern const Entry process_entry;
extern const Directory sys_directory;

} // namespace personality::proc
