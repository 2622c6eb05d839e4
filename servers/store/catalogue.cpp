#include "servers/store/catalogue.hpp"

namespace store {

namespace {

int digit_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

} // namespace

base::Result<Key> parse_key(std::string_view text) {
    if (text.size() != key_text_bytes || !text.starts_with(key_prefix))
        return base::fail(abi::Error::bad_argument);
    text.remove_prefix(key_prefix.size());
    Key key;
    for (std::size_t i = 0; i < key.size(); ++i) {
        const int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return base::fail(abi::Error::bad_argument);
        key[i] = static_cast<std::byte>(high << 4 | low);
    }
    return key;
}

std::array<char, key_text_bytes> key_text(const Key& key) {
    std::array<char, key_text_bytes> text;
    const auto digits = base::hexadecimal(key);
    std::copy(digits.begin(), digits.end(), std::copy(key_prefix.begin(), key_prefix.end(), text.begin()));
    return text;
}

} // namespace store
