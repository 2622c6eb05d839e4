#include "services/engine/filters.hpp"

#include <algorithm>

#include <fnmatch.h>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "services/engine/error.hpp"
#include "services/engine/moment.hpp"

namespace engine {

namespace {

constexpr std::int64_t expression_memory = 1 << 20; // bytes; a larger expression fits nothing

} // namespace

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

bool Filters::allows_match(const std::string& name, std::initializer_list<std::string_view> texts) const {
    if (!has(name)) return true;
    const auto [place, fresh] = expressions_.try_emplace(name);
    if (fresh) {
        re2::RE2::Options options(re2::RE2::Quiet);
        options.set_max_mem(expression_memory);
        for (const std::string& value : values(name))
            if (auto expression = std::make_shared<const re2::RE2>(value, options); expression->ok()) place->second.push_back(std::move(expression));
    }
    return std::ranges::any_of(place->second, [&](const auto& expression) {
        return std::ranges::any_of(texts, [&](std::string_view text) { return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *expression); });
    });
}

bool Filters::has_labels(const std::string& name, const std::map<std::string, std::string>& labels) const {
    return std::ranges::all_of(values(name), [&](const std::string& wanted) {
        const auto equals = wanted.find('=');
        const auto found = labels.find(wanted.substr(0, equals));
        return found != labels.end() && (equals == std::string::npos || found->second == wanted.substr(equals + 1));
    });
}

bool Filters::allows_labels(const std::map<std::string, std::string>& labels) const {
    return has_labels("label", labels) && !(has("label!") && has_labels("label!", labels));
}

std::int64_t Filters::until(std::int64_t now) const {
    if (!has("until")) return INT64_MAX;
    if (values("until").size() > 1) throw bad_request("more than one until filter specified");
    return parse_past_moment(*values("until").begin(), now);
}

bool glob_fits(const std::string& pattern, const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0; }

} // namespace engine
