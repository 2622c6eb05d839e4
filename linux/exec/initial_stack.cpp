#include "linux/exec/initial_stack.hpp"

#include <cstring>

namespace personality {

namespace {

constexpr std::string_view platform_name = "x86_64";

std::uint64_t bytes_of(std::span<const std::string_view> texts) {
    std::uint64_t bytes = 0;
    for (const std::string_view text : texts)
        bytes += text.size() + 1;
    return bytes;
}

} // namespace

// From the top: an empty word, the path, the environment's texts, the arguments' texts, the platform's name, the random bytes, the vectors.
InitialStack::InitialStack(std::uint64_t top, std::span<const std::string_view> arguments, std::span<const std::string_view> environment, std::span<AuxiliaryEntry> vector,
                           std::string_view executable)
    : top_(top), arguments_(arguments), environment_(environment), vector_(vector), executable_(executable) {
    executable_address_ = top - 8 - (executable.size() + 1);
    environment_start_ = executable_address_ - bytes_of(environment);
    arguments_start_ = environment_start_ - bytes_of(arguments);
    platform_address_ = (arguments_start_ - (platform_name.size() + 1)) & ~15ull;
    random_address_ = platform_address_ - 16;
    const std::uint64_t words = 1 + arguments.size() + 1 + environment.size() + 1 + 2 * (vector.size() + 1);
    pointer_ = (random_address_ - 8 * words) & ~15ull;
    for (AuxiliaryEntry& entry : vector) {
        if (entry.type == auxiliary::platform)
            entry.value = platform_address_;
        else if (entry.type == auxiliary::random)
            entry.value = random_address_;
        else if (entry.type == auxiliary::executable)
            entry.value = executable_address_;
    }
}

void InitialStack::write(std::span<std::byte> buffer, std::span<const std::byte, 16> random) const {
    std::memset(buffer.data(), 0, buffer.size());
    const auto at = [&](std::uint64_t address) { return buffer.data() + (address - pointer_); };
    std::uint64_t next = pointer_;
    const auto word = [&](std::uint64_t value) {
        std::memcpy(at(next), &value, sizeof value);
        next += sizeof value;
    };
    const auto texts = [&](std::span<const std::string_view> list, std::uint64_t address) {
        for (const std::string_view text : list) {
            word(address);
            std::memcpy(at(address), text.data(), text.size());
            address += text.size() + 1;
        }
        word(0);
    };
    word(arguments_.size());
    texts(arguments_, arguments_start_);
    texts(environment_, environment_start_);
    for (const AuxiliaryEntry& entry : vector_) {
        word(entry.type);
        word(entry.value);
    }
    word(auxiliary::end);
    word(0);
    std::memcpy(at(random_address_), random.data(), random.size());
    std::memcpy(at(platform_address_), platform_name.data(), platform_name.size());
    std::memcpy(at(executable_address_), executable_.data(), executable_.size());
}

} // namespace personality
