// The `filters` parameter of lists and events.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace engine {

class Filters {
public:
    // JSON as clients write it: {"name": {"value": true}} or {"name": ["value"]}. Only the names in `known` are taken.
    // Throws ApiError 400.
    static Filters parse(std::string_view text, std::initializer_list<std::string_view> known);

    bool has(const std::string& name) const { return values_.contains(name); }
    const std::set<std::string>& values(const std::string& name) const;
    // True where the filter is absent or `value` is one of its values.
    bool allows(const std::string& name, const std::string& value) const;
    // True where the filter is absent or one of its values fits by `fits(value)`.
    template <class Fits>
    bool allows_if(const std::string& name, Fits fits) const {
        if (!has(name)) return true;
        for (const std::string& value : values(name))
            if (fits(value)) return true;
        return false;
    }
    // True where the filter is absent, or one of its values, a regular expression in Go's syntax, fits a part of one of `texts`. What is none fits nothing, as in dockerd.
    bool allows_match(const std::string& name, std::initializer_list<std::string_view> texts) const;
    // Every "key" or "key=value" of the filter "label" is among `labels`, and not every one of "label!", where there is that filter.
    bool allows_labels(const std::map<std::string, std::string>& labels) const;
    // The filter "until": nothing that is newer than this. INT64_MAX where it is absent; `now` in nanoseconds since 1970. Throws ApiError 400.
    std::int64_t until(std::int64_t now) const;

private:
    bool has_labels(const std::string& name, const std::map<std::string, std::string>& labels) const;

    std::map<std::string, std::set<std::string>> values_;
    mutable std::map<std::string, std::vector<std::shared_ptr<const re2::RE2>>> expressions_; // of the values of a filter, once they are asked for
};

// Whether a pattern of a shell (*, ?, [a-z], \\x) fits the whole text; `*` and `?` do not fit a slash.
bool glob_fits(const std::string& pattern, const std::string& text);

} // namespace engine
