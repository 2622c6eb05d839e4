#include "servers/log/line_ring.hpp"

#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace logging {
namespace {

struct Kept {
    std::uint64_t number, nanoseconds;
    std::string writer, text;
    std::size_t bytes() const { return 16 + writer.size() + text.size(); }
};

void expect(const LineRing& ring, std::uint64_t number, const Kept* kept) {
    Line line;
    ASSERT_EQ(ring.find(number, line), kept != nullptr) << number;
    if (kept == nullptr)
        return;
    EXPECT_EQ(line.number, kept->number);
    EXPECT_EQ(line.nanoseconds, kept->nanoseconds);
    EXPECT_EQ(line.writer(), kept->writer);
    EXPECT_EQ(line.text(), kept->text);
}

TEST(LineRing, EmptyHasNothing) {
    std::vector<std::byte> storage(LineRing::most_line_bytes);
    const LineRing ring(storage);
    for (const std::uint64_t number : {0ull, 1ull, 2ull, ~0ull})
        expect(ring, number, nullptr);
}

// Against a model, with storage of every size from one line on, so that lines lie around its end in every way.
TEST(LineRing, KeepsTheLastThatFit) {
    std::mt19937 random(1);
    for (std::size_t size = LineRing::most_line_bytes; size < LineRing::most_line_bytes + 200; ++size) {
        std::vector<std::byte> storage(size); // on the heap, for the sanitizer
        LineRing ring(storage);
        std::deque<Kept> model;
        std::size_t used = 0;
        for (std::uint64_t number = 1; number <= 200; ++number) {
            model.push_back({number, random(), std::string(random() % (most_name_bytes + 1), 'w'), std::string(random() % 8 == 0 ? most_text_bytes : random() % 40, 't')});
            ring.append(model.back().nanoseconds, model.back().writer, model.back().text);
            for (used += model.back().bytes(); used > size; model.pop_front())
                used -= model.front().bytes();
            const std::uint64_t wanted = random() % (number + 3);
            const Kept* first = nullptr;
            for (const Kept& kept : model)
                if (first == nullptr && kept.number >= wanted)
                    first = &kept;
            expect(ring, wanted, first);
        }
        for (const Kept& kept : model)
            expect(ring, kept.number, &kept);
    }
}

TEST(LineRing, CutsWhatIsTooLong) {
    std::vector<std::byte> storage(LineRing::most_line_bytes);
    LineRing ring(storage);
    ring.append(7, std::string(100, 'w'), std::string(1000, 't'));
    const Kept cut{1, 7, std::string(most_name_bytes, 'w'), std::string(most_text_bytes, 't')};
    expect(ring, 0, &cut);
}

} // namespace
} // namespace logging
