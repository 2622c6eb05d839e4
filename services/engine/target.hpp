// The target of a request: API version, path, query.
#pragma once
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct ApiVersion {
    int major = 1;
    int minor = 0;
    auto operator<=>(const ApiVersion&) const = default;
    std::string text() const { return std::to_string(major) + "." + std::to_string(minor); }
};
inline constexpr ApiVersion newest_version{1, 51};
inline constexpr ApiVersion oldest_version{1, 24};

struct Target {
    ApiVersion version = newest_version;      // of an unversioned path: the newest
    std::vector<std::string> segments;        // decoded, without the version; "/a//b/" has a and b
    std::map<std::string, std::string> query; // decoded; of a repeated name the last

    std::string_view parameter(const std::string& name) const;
    // As Docker reads a switch: absent, "", "0", "no", "false" and "none" are off.
    bool flag(const std::string& name) const;
    // A whole number; throws ApiError 400 where the text is not one.
    std::optional<long long> number(const std::string& name) const;
};

// Throws ApiError 400: damaged escapes, NUL, a version that is not served.
Target parse_target(std::string_view text);
// "%41" and, in a query, "+". Throws ApiError 400.
std::string percent_decode(std::string_view text, bool plus_is_space);

} // namespace engine
