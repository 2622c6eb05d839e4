// The `filters` parameter of lists and events.
#pragma once
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>

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
    // Every "key" or "key=value" of the filter `name` is among `labels`.
    bool allows_labels(const std::string& name, const std::map<std::string, std::string>& labels) const;

private:
    std::map<std::string, std::set<std::string>> values_;
};

} // namespace engine
