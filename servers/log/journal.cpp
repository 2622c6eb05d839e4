#include "servers/log/journal.hpp"

#include <algorithm>
#include <utility>

#include "lib/base/format.hpp"
#include "lib/base/weaken.hpp"

namespace logging {

namespace {

// In a telling: so many writers by name, the others as a sum.
constexpr unsigned most_named = 4;
constexpr std::string_view own_name = "log";

constexpr bool printable(char character) { return character >= ' ' && character <= '~'; }

} // namespace

base::Result<void> Journal::add_program(std::uint64_t badge, std::string_view name) {
    if (badge == 0 || name.empty() || name.size() > most_name_bytes || !std::all_of(name.begin(), name.end(), printable))
        return base::fail(base::Error::bad_argument);
    for (const Writer& known : std::span(programs_, program_count_))
        if (known.badge == badge)
            return base::fail(base::Error::exists);
    if (program_count_ == most_programs)
        return base::fail(base::Error::no_slots);
    Writer& added = programs_[program_count_++];
    added.badge = badge;
    added.name = name;
    return {};
}

base::Result<void> Journal::write_program(std::uint64_t badge, std::string_view text, std::uint64_t now) {
    for (Writer& writer : std::span(programs_, program_count_)) {
        if (writer.badge != badge)
            continue;
        if (writer.limit.take(now))
            show(writer.name, text, now);
        else
            drop(writer, now);
        return {};
    }
    return base::fail(base::Error::denied);
}

base::Result<void> Journal::write_sandbox(std::uint64_t number, std::string_view text, std::uint64_t now) {
    if (number == 0)
        return base::fail(base::Error::denied);
    Writer& writer = sandbox(number, now);
    NameBuffer buffer;
    // Its own limit first: a sandbox that is over it takes nothing from the others' share.
    if (writer.limit.take(now) && sandboxes_limit_.take(now))
        show(name_of(writer, buffer), text, now);
    else
        drop(writer, now);
    return {};
}

void Journal::say(std::string_view text, std::uint64_t now) { show(own_name, text, now); }

Journal::Writer& Journal::sandbox(std::uint64_t number, std::uint64_t now) {
    Writer* oldest = sandboxes_;
    for (Writer& writer : sandboxes_) {
        if (writer.badge == number) {
            writer.last_written = now;
            return writer;
        }
        // A free place was written last at 0.
        if (writer.last_written < oldest->last_written)
            oldest = &writer;
    }
    forgotten_dropped_ += oldest->dropped;
    *oldest = Writer{};
    oldest->badge = number;
    oldest->last_written = now;
    return *oldest;
}

std::string_view Journal::name_of(const Writer& writer, NameBuffer& buffer) {
    return writer.name.empty() ? base::format(buffer, "sandbox ", writer.badge) : writer.name;
}

void Journal::drop(Writer& writer, std::uint64_t now) {
    ++writer.dropped;
    if (telling_time_ == UINT64_MAX)
        telling_time_ = now + telling_interval;
}

void Journal::tell_dropped(std::uint64_t now) {
    if (now < telling_time_)
        return;
    telling_time_ = UINT64_MAX;
    unsigned named = 0;
    std::uint64_t others = std::exchange(forgotten_dropped_, 0);
    char text[most_text_bytes];
    const auto tell = [&](Writer& writer) {
        const std::uint64_t dropped = std::exchange(writer.dropped, 0);
        NameBuffer buffer;
        if (dropped != 0 && named++ < most_named)
            say(base::format(text, dropped, " lines of ", name_of(writer, buffer), " dropped"), now);
        else
            others += dropped;
    };
    for (Writer& writer : programs_)
        tell(writer);
    for (Writer& writer : sandboxes_)
        tell(writer);
    if (others != 0)
        say(base::format(text, others, " lines of other writers dropped"), now);
}

void Journal::show(std::string_view name, std::string_view text, std::uint64_t now) {
    // The name comes from the badge, whatever the text pretends.
    if (base::weakened(base::Weakness::log_writer))
        if (const std::size_t colon = text.find(": "); colon != std::string_view::npos) {
            name = text.substr(0, colon);
            text.remove_prefix(colon + 2);
        }
    char clean[most_text_bytes];
    text = text.substr(0, sizeof clean);
    std::transform(text.begin(), text.end(), clean, [](char character) { return printable(character) ? character : '?'; });
    text = {clean, text.size()};
    kept_.append(now, name, text);
    char line[most_name_bytes + most_text_bytes + 3];
    console_.show(base::format(line, name.substr(0, most_name_bytes), ": ", text, '\n'));
}

} // namespace logging
