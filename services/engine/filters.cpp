#include "services/engine/filters.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "services/engine/error.hpp"

namespace engine {

Filters Filters::parse(std::string_view text, std::initializer_list<std::string_view> known) {
    Filters filters;
    if (text.empty()) return filters;
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object()) throw bad_request("invalid filters: not a JSON object");
    for (const auto& [name, values] : document.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw bad_request("invalid filter '" + name + "'");
        auto& set = filters.values_[name];
        if (values.is_object()) {
            for (const auto& [value, on] : values.items())
                if (on.is_boolean() && on.get<bool>()) set.insert(value);
        } else if (values.is_array()) {
            for (const auto& value : values) {
                if (!value.is_string()) throw bad_request("invalid filter '" + name + "': not a list of strings");
                set.insert(value.get<std::string>());
            }
        } else {
            throw bad_request("invalid filter '" + name + "'");
        }
        // An empty set of values is no filter.
        if (set.empty()) filters.values_.erase(name);
    }
    return filters;
}

const std::set<std::string>& Filters::values(const std::string& name) const {
    static const std::set<std::string> none;
    const auto found = values_.find(name);
    return found == values_.end() ? none : found->second;
}

bool Filters::allows(const std::string& name, const std::string& value) const {
    return !has(name) || values(name).contains(value);
}

bool Filters::allows_labels(const std::string& name, const std::map<std::string, std::string>& labels) const {
    return std::ranges::all_of(values(name), [&](const std::string& wanted) {
        const auto equals = wanted.find('=');
        const auto found = labels.find(wanted.substr(0, equals));
        return found != labels.end() && (equals == std::string::npos || found->second == wanted.substr(equals + 1));
    });
}

} // namespace engine
