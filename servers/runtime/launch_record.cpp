#include "servers/runtime/launch_record.hpp"

#include <algorithm>

#include "abi/start.hpp"
#include "lib/base/format.hpp"

namespace runtime {

template <class... Parts> base::Result<void> LaunchRecord::add(const Parts&... parts) {
    Line line;
    base::Formatter text(line.text);
    (text << ... << parts) << '\n';
    if (text.truncated())
        return base::fail(base::Error::bad_argument);
    line.size = text.view().size();
    return lines_.push_back(line);
}

base::Result<void> LaunchRecord::add_digest(std::string_view what, std::span<const std::byte> bytes) {
    const auto digits = base::hexadecimal(base::Sha256::of(bytes));
    return add(what, ' ', std::string_view(digits.data(), digits.size()));
}

base::Result<void> LaunchRecord::arguments(std::span<const std::byte> record) { return add_digest("arguments", record); }

base::Result<void> LaunchRecord::start(std::span<const std::byte> records) { return add_digest("start", records); }

base::Result<void> LaunchRecord::budget(const abi::BudgetParameters& parameters) {
    TRY(add("budget weight ", parameters.weight));
    TRY(add("budget priority ", parameters.priority));
    TRY(add("budget limit_microseconds ", parameters.limit_microseconds));
    TRY(add("budget period_microseconds ", parameters.period_microseconds));
    return add("budget cpus ", parameters.cpus);
}

base::Result<void> LaunchRecord::grant(std::string_view name, std::uint32_t kind, abi::Rights rights) {
    // A name must not make two capabilities out of one.
    const bool visible = std::all_of(name.begin(), name.end(), [](char character) { return character > ' ' && character <= '~'; });
    if (name.empty() || name.size() >= abi::start_name_bytes || !visible)
        return base::fail(base::Error::bad_argument);
    return add("grant ", name, ' ', kind, ' ', base::Hex{rights});
}

base::Result<void> LaunchRecord::layer(std::size_t index, std::uint64_t bytes) { return add("layer ", index, ' ', bytes); }

base::Result<void> LaunchRecord::program(std::uint64_t bytes) { return add("program ", bytes); }

base::Result<void> LaunchRecord::quota(std::uint64_t pages) { return add("quota ", pages); }

base::Sha256::Digest LaunchRecord::digest() {
    std::sort(lines_.begin(), lines_.end(), [](const Line& one, const Line& other) { return one.view() < other.view(); });
    base::Sha256 hash;
    for (const Line& line : lines_)
        hash.update(std::as_bytes(std::span(line.text, line.size)));
    return hash.finish();
}

} // namespace runtime
