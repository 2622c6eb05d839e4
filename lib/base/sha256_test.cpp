#include "lib/base/sha256.hpp"

#include "lib/base/bytes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

std::string digest(std::string_view text) {
    const auto digits = hexadecimal(Sha256::of(bytes_of(text)));
    return {digits.data(), digits.size()};
}

// The examples of FIPS 180-4's companion document, and the empty message.
TEST(Sha256, KnownAnswers) {
    EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(digest(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesOfAnySizeGiveTheSame) {
    const std::string text(300, 'x');
    const auto whole = Sha256::of(bytes_of(std::string_view(text)));
    for (std::size_t piece = 1; piece < 130; ++piece) {
        Sha256 hash;
        for (std::size_t at = 0; at < text.size(); at += piece)
            hash.update(bytes_of(std::string_view(text).substr(at, piece)));
        EXPECT_EQ(hash.finish(), whole) << piece;
    }
}

} // namespace
} // namespace base
