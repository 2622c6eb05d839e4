// Size classes of the heap: steps of 16 bytes up to 128, then four steps a power of two, so that at most a fifth of an object is waste.
#pragma once
#include <bit>
#include <cstddef>

namespace native::heap {

inline constexpr std::size_t fine_step = 16;
inline constexpr std::size_t fine_limit = 128;
inline constexpr std::size_t fine_classes = fine_limit / fine_step;
inline constexpr std::size_t largest_class = 16 * 1024;
inline constexpr std::size_t class_count = fine_classes + 4 * 7; // 128 < size <= 16 KiB: seven powers of two

// For 1 <= size <= largest_class.
constexpr std::size_t class_of(std::size_t size) {
    if (size <= fine_limit)
        return (size + fine_step - 1) / fine_step - 1;
    const std::size_t power = std::bit_width(size - 1) - 1; // 2^power < size <= 2^(power + 1)
    const std::size_t quarter = std::size_t{1} << (power - 2);
    const std::size_t step = (size - (std::size_t{1} << power) + quarter - 1) / quarter; // 1..4
    return fine_classes + (power - 7) * 4 + step - 1;
}
constexpr std::size_t class_size(std::size_t index) {
    if (index < fine_classes)
        return (index + 1) * fine_step;
    const std::size_t power = (index - fine_classes) / 4 + 7;
    const std::size_t step = (index - fine_classes) % 4 + 1;
    return (std::size_t{1} << power) + step * (std::size_t{1} << (power - 2));
}
static_assert(class_of(largest_class) == class_count - 1 && class_size(class_count - 1) == largest_class);
static_assert(class_of(129) == fine_classes && class_size(fine_classes) == 160);

} // namespace native::heap
