#include "servers/store/catalogue.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace store {
namespace {

using Memory = std::shared_ptr<int>;
using Table = Catalogue<Memory>;

Key key(unsigned number) {
    Key key{};
    std::memcpy(key.data(), &number, sizeof number);
    return key;
}

TEST(Key, IsAPrefixAnd64LowerCaseDigits) {
    const std::string good = "sha256:" + std::string(62, '0') + "af";
    const auto parsed = parse_key(good);
    ASSERT_TRUE(parsed);
    EXPECT_EQ((*parsed)[31], std::byte{0xaf});
    const auto text = key_text(*parsed);
    EXPECT_EQ(std::string_view(text.data(), text.size()), good);
    for (const std::string& bad : {std::string(), std::string("sha256:"), good.substr(1), good + "0", good.substr(0, good.size() - 1), "sha512:" + good.substr(7),
                                   "sha256:" + std::string(63, '0') + "A", "sha256:" + std::string(63, '0') + "g", "sha256:" + std::string(63, '0') + std::string(1, '\0')})
        EXPECT_EQ(parse_key(bad).error(), abi::Error::bad_argument) << bad;
}

TEST(Catalogue, WhatIsWrittenBelongsToItsSession) {
    Table table;
    const auto memory = std::make_shared<int>();
    const std::uint64_t number = *table.begin(7, memory);
    EXPECT_EQ(table.take(8, number).error(), abi::Error::not_found);
    EXPECT_EQ(table.take(7, number + 1).error(), abi::Error::not_found);
    EXPECT_TRUE(table.take(7, number));
    EXPECT_EQ(table.take(7, number).error(), abi::Error::not_found) << "once";
    EXPECT_EQ(memory.use_count(), 1);
}

TEST(Catalogue, ASessionsEndFreesWhatItDidNotCommit) {
    Table table;
    const auto memory = std::make_shared<int>(), other = std::make_shared<int>();
    ASSERT_TRUE(table.begin(1, memory));
    ASSERT_TRUE(table.begin(2, other));
    ASSERT_TRUE(table.begin(1, memory));
    table.drop_session(1);
    EXPECT_EQ(memory.use_count(), 1);
    EXPECT_EQ(other.use_count(), 2);
}

TEST(Catalogue, BoundsWhatIsBeingWritten) {
    Table table;
    for (std::size_t i = 0; i < Table::most_new; ++i)
        ASSERT_TRUE(table.begin(i, nullptr));
    EXPECT_EQ(table.begin(1, nullptr).error(), abi::Error::no_slots);
    table.drop_session(0);
    EXPECT_TRUE(table.begin(1, nullptr));
}

TEST(Catalogue, AKeyKeepsItsFirstBlob) {
    Table table;
    const auto memory = std::make_shared<int>();
    ASSERT_TRUE(table.add({key(1), 10, memory}));
    EXPECT_EQ(table.may_add(key(1)).error(), abi::Error::exists);
    EXPECT_EQ(table.add({key(1), 20, nullptr}).error(), abi::Error::exists);
    ASSERT_NE(table.find(key(1)), nullptr);
    EXPECT_EQ(table.find(key(1))->size, 10u);
    EXPECT_TRUE(table.remove(key(1)));
    EXPECT_FALSE(table.remove(key(1)));
    EXPECT_EQ(table.find(key(1)), nullptr);
    EXPECT_EQ(memory.use_count(), 1);
}

TEST(Catalogue, BoundsItsBlobs) {
    Table table;
    for (unsigned i = 0; i < Table::most_blobs; ++i)
        ASSERT_TRUE(table.add({key(i), 1, nullptr}));
    EXPECT_EQ(table.may_add(key(1u << 20)).error(), abi::Error::no_slots);
    EXPECT_EQ(table.may_add(key(5)).error(), abi::Error::exists);
}

} // namespace
} // namespace store
