#include "linux/fs/inode_file.hpp"
#include "linux/fs/test_support.hpp"

#include <gtest/gtest.h>

namespace personality {
namespace {

using test::number;
using test::Tree;

TEST(RamFileSystem, WritesAndReadsSmallAndLargeFiles) {
    Tree tree;
    EXPECT_EQ(tree.write_file("/x", "hello"), 0);
    EXPECT_EQ(tree.read_file("/x"), "hello");
    const std::string large(300'000, 'q');
    EXPECT_EQ(tree.write_file("/large", large), 0);
    EXPECT_EQ(tree.read_file("/large"), large);
    EXPECT_EQ(tree.write_file("/large", "short"), 0);
    EXPECT_EQ(tree.read_file("/large"), "short");
}

TEST(RamFileSystem, TruncationLeavesZeroes) {
    Tree tree;
    for (const std::size_t size : {std::size_t{100}, std::size_t{9000}}) {
        ASSERT_EQ(tree.write_file("/f", std::string(size, 'a')), 0);
        auto file = *tree.open("/f", open_flag::read_write);
        EXPECT_TRUE(file->truncate(10));
        EXPECT_TRUE(file->truncate(size));
        EXPECT_EQ(tree.read_file("/f"), std::string(10, 'a') + std::string(size - 10, '\0'));
        EXPECT_TRUE(file->truncate(0));
        EXPECT_TRUE(file->truncate(size));
        EXPECT_EQ(tree.read_file("/f"), std::string(size, '\0'));
    }
}

TEST(RamFileSystem, MappedFilesHaveAnExactMemory) {
    Tree tree;
    ASSERT_EQ(tree.write_file("/f", "abc"), 0);
    auto file = *tree.open("/f", open_flag::read_write);
    auto backing = file->backing(0, 4096);
    ASSERT_TRUE(backing);
    EXPECT_EQ(backing->length, 3u);
    EXPECT_TRUE(backing->writable_shared);
    EXPECT_EQ(tree.read_file("/f"), "abc");
}

TEST(RamFileSystem, OpenErrorsAreLinuxOwn) {
    Tree tree;
    ASSERT_EQ(tree.make_directory("/d"), 0);
    ASSERT_EQ(tree.write_file("/f", "x"), 0);
    ASSERT_EQ(tree.make_link("f", "/l"), 0);
    ASSERT_EQ(tree.make_link("loop", "/loop"), 0);
    using namespace open_flag;
    EXPECT_EQ(number(tree.open("", read_only)), -2);
    EXPECT_EQ(number(tree.open("/none", read_only)), -2);
    EXPECT_EQ(number(tree.open("/none/x", write_only | create)), -2);
    EXPECT_EQ(number(tree.open("/d", write_only)), -21);
    EXPECT_EQ(number(tree.open("/d", read_only | create)), -21);
    EXPECT_EQ(number(tree.open("/f", read_only | directory)), -20);
    EXPECT_EQ(number(tree.open("/f/", read_only)), -20);
    EXPECT_EQ(number(tree.open("/f/x", read_only)), -20);
    EXPECT_EQ(number(tree.open("/f", write_only | create | exclusive)), -17);
    EXPECT_EQ(number(tree.open("/l", read_only | no_follow)), -40);
    EXPECT_EQ(number(tree.open("/loop", read_only)), -40);
    EXPECT_EQ(number(tree.open("/" + std::string(256, 'n'), read_only)), -36);
    EXPECT_EQ(number(tree.open("/new/", write_only | create)), -21);
}

TEST(RamFileSystem, CreatesThroughADanglingLink) {
    Tree tree;
    ASSERT_EQ(tree.make_directory("/d"), 0);
    ASSERT_EQ(tree.make_link("d/target", "/l"), 0);
    EXPECT_EQ(tree.write_file("/l", "via"), 0);
    EXPECT_EQ(tree.read_file("/d/target"), "via");
}

TEST(RamFileSystem, DotDotStaysInTheRoot) {
    Tree tree;
    ASSERT_EQ(tree.make_directory("/a"), 0);
    ASSERT_EQ(tree.make_directory("/a/b"), 0);
    ASSERT_EQ(tree.write_file("/a/f", "in a"), 0);
    ASSERT_EQ(tree.write_file("/f", "outside"), 0);
    tree.root = *walk_path(tree.context(), tree.current, "/a", 0);
    EXPECT_EQ(tree.read_file("/../../f"), "in a");
    EXPECT_EQ(tree.read_file("/b/../../../f"), "in a");
    ASSERT_EQ(tree.make_link("/../../f", "/up"), 0);
    EXPECT_EQ(tree.read_file("/up"), "in a");
}

TEST(RamFileSystem, RemovalKeepsOpenFiles) {
    Tree tree;
    ASSERT_EQ(tree.write_file("/f", "kept"), 0);
    auto file = *tree.open("/f", open_flag::read_only);
    EXPECT_EQ(tree.unlink("/f"), 0);
    EXPECT_EQ(tree.unlink("/f"), -2);
    char buffer[8];
    EXPECT_EQ(*file->read(std::as_writable_bytes(std::span(buffer))), 4u);
    KernelStat stat;
    ASSERT_TRUE(file->stat(stat));
    EXPECT_EQ(stat.links, 0u);
}

TEST(RamFileSystem, DirectoriesCountLinks) {
    Tree tree;
    KernelStat stat;
    ASSERT_EQ(tree.make_directory("/d"), 0);
    ASSERT_EQ(tree.make_directory("/d/e"), 0);
    ASSERT_EQ(tree.stat("/d", stat), 0);
    EXPECT_EQ(stat.links, 3u);
    EXPECT_EQ(tree.remove_directory("/d"), -39);
    EXPECT_EQ(tree.unlink("/d"), -21);
    EXPECT_EQ(tree.remove_directory("/d/."), -22);
    EXPECT_EQ(tree.rename("/d", "/d/e/f"), -22);
    EXPECT_EQ(tree.rename("/d/e", "/e"), 0);
    ASSERT_EQ(tree.stat("/d", stat), 0);
    EXPECT_EQ(stat.links, 2u);
    EXPECT_EQ(tree.remove_directory("/d"), 0);
    EXPECT_EQ(tree.list("/"), "e");
}

TEST(RamFileSystem, RenameReplacesAndExchanges) {
    Tree tree;
    ASSERT_EQ(tree.write_file("/a", "A"), 0);
    ASSERT_EQ(tree.write_file("/b", "B"), 0);
    ASSERT_EQ(tree.make_directory("/d"), 0);
    EXPECT_EQ(tree.rename("/a", "/b", rename_flag::no_replace), -17);
    EXPECT_EQ(tree.rename("/a", "/b", rename_flag::exchange), 0);
    EXPECT_EQ(tree.read_file("/a"), "B");
    EXPECT_EQ(tree.read_file("/b"), "A");
    EXPECT_EQ(tree.rename("/a", "/d"), -21);
    EXPECT_EQ(tree.rename("/d", "/a"), -20);
    EXPECT_EQ(tree.rename("/a", "/b"), 0);
    EXPECT_EQ(tree.read_file("/b"), "B");
    EXPECT_EQ(tree.list("/"), "d b");
    EXPECT_EQ(tree.hard_link("/b", "/d/c"), 0);
    EXPECT_EQ(tree.rename("/b", "/d/c"), 0); // two names of one file: both stay
    EXPECT_EQ(tree.list("/"), "d b");
}

TEST(RamFileSystem, PermissionsBindOthersThanRoot) {
    Tree tree;
    ASSERT_EQ(tree.make_directory("/d", 0700), 0);
    ASSERT_EQ(tree.write_file("/f", "x"), 0);
    tree.who = {1000, 1000, {}, false, false, false, false, false, false};
    EXPECT_EQ(number(tree.open("/d/x", open_flag::read_only)), -13);
    EXPECT_EQ(number(tree.open("/f", open_flag::read_write)), -13);
    EXPECT_EQ(number(tree.open("/f", open_flag::read_only)), 0);
    EXPECT_EQ(number(tree.open("/new", open_flag::write_only | open_flag::create)), -13);
    EXPECT_EQ(tree.unlink("/f"), -13);
    EXPECT_EQ(number(change_mode(tree.who, *walk_path(tree.context(), tree.current, "/f", 0), 0777)), -1);
}

TEST(RamFileSystem, ListingSurvivesRemovalBetweenReads) {
    Tree tree;
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(tree.write_file("/f" + std::to_string(i), ""), 0);
    struct OneByOne final : DirectorySink {
        bool entry(std::uint64_t, std::uint64_t, std::uint8_t, std::span<const char> text) override {
            if (!name.empty())
                return false;
            name.assign(text.begin(), text.end());
            return true;
        }
        std::string name;
    };
    auto directory = *tree.open("/", open_flag::read_only);
    int seen = 0;
    for (;;) {
        OneByOne sink;
        ASSERT_TRUE(directory->list(sink));
        if (sink.name.empty())
            break;
        if (sink.name[0] != 'f')
            continue;
        ++seen;
        EXPECT_EQ(tree.unlink("/" + sink.name), 0);
    }
    EXPECT_EQ(seen, 100);
    EXPECT_EQ(tree.list("/"), "");
}

TEST(RamFileSystem, PathTextTellsWhereSomethingIs) {
    Tree tree;
    ASSERT_EQ(tree.make_directory("/a"), 0);
    ASSERT_EQ(tree.make_directory("/a/b"), 0);
    const Location b = *walk_path(tree.context(), tree.current, "/a/b", 0);
    char buffer[64];
    EXPECT_EQ(*path_text(tree.root, b, buffer), "/a/b");
    EXPECT_EQ(*path_text(tree.root, tree.root, buffer), "/");
    EXPECT_EQ(path_text(tree.root, b, std::span(buffer).first(3)).error(), Errno::ENAMETOOLONG);
    ASSERT_EQ(tree.remove_directory("/a/b"), 0);
    EXPECT_EQ(*path_text(tree.root, b, buffer), "/a/b (deleted)");
}

} // namespace
} // namespace personality
