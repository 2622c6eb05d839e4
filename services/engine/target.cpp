#include "services/engine/target.hpp"

#include <charconv>
#include <utility>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

int hexadecimal_digit(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

std::optional<ApiVersion> parse_version(std::string_view segment) {
    if (!services::consume(segment, "v")) return std::nullopt;
    const auto dot = segment.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto major = services::parse_number(segment.substr(0, dot));
    const auto minor = services::parse_number(segment.substr(dot + 1));
    if (!major || !minor || *major > 99 || *minor > 999) return std::nullopt;
    return ApiVersion{static_cast<int>(*major), static_cast<int>(*minor)};
}

} // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        char character = text[at];
        if (character == '%') {
            const int high = text.size() - at > 2 ? hexadecimal_digit(text[at + 1]) : -1;
            const int low = text.size() - at > 2 ? hexadecimal_digit(text[at + 2]) : -1;
            if (high < 0 || low < 0) throw bad_request("the URL has a damaged escape");
            character = static_cast<char>(high * 16 + low);
            at += 2;
        } else if (character == '+' && plus_is_space) {
            character = ' ';
        }
        if (character == '\0') throw bad_request("the URL has a zero byte");
        result += character;
    }
    return result;
}

Target parse_target(std::string_view text) {
    Target target;
    if (!text.starts_with('/')) throw bad_request("the URL is not a path");
    const auto mark = text.find('?');
    bool first = true;
    for (const std::string& raw : services::split(text.substr(0, mark), '/')) {
        if (raw.empty()) continue;
        if (std::exchange(first, false)) {
            if (const auto version = parse_version(raw)) {
                if (*version < oldest_version)
                    throw bad_request("client version " + version->text() +
                                      " is too old. Minimum supported API version is " + oldest_version.text() +
                                      ", please upgrade your client to a newer version");
                if (*version > newest_version)
                    throw bad_request("client version " + version->text() +
                                      " is too new. Maximum supported API version is " + newest_version.text());
                target.version = *version;
                continue;
            }
        }
        target.segments.push_back(percent_decode(raw, false));
    }
    if (mark != std::string_view::npos) {
        for (const std::string& part : services::split(text.substr(mark + 1), '&')) {
            if (part.empty()) continue;
            const auto equals = part.find('=');
            const std::string value =
                equals == std::string::npos ? "" : percent_decode(std::string_view(part).substr(equals + 1), true);
            target.query[percent_decode(std::string_view(part).substr(0, equals), true)] = value;
        }
    }
    return target;
}

std::string_view Target::parameter(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string_view() : std::string_view(found->second);
}

bool Target::flag(const std::string& name) const {
    const std::string value = services::lower(parameter(name));
    return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

std::optional<long long> Target::number(const std::string& name) const {
    const std::string_view text = parameter(name);
    if (text.empty()) return std::nullopt;
    long long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        throw bad_request("the parameter \"" + name + "\" is not a number: " + std::string(text));
    return value;
}

} // namespace engine
