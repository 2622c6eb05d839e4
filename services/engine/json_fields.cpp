#include "services/engine/json_fields.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

// The member, or null where there is none. Go's decoder, which clients are written for, ignores case; clients do send
// the documented case.
const Json& member(const Json& object, const char* name) {
    static const Json nothing;
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
}

ApiError wrong_type(const char* name, const char* wanted) {
    return bad_request(std::string("invalid JSON: ") + name + " is not " + wanted);
}

} // namespace

Json parse_json(const std::string& text) {
    constexpr int most_levels = 64;
    int depth = 0;
    std::string twice;
    std::array<std::set<std::string>, most_levels + 1> names; // of the object that is being read at each level
    const auto look = [&](int level, Json::parse_event_t event, Json& value) {
        depth = std::max(depth, level);
        if (level >= most_levels) return false;
        const auto at = static_cast<std::size_t>(level);
        if (event == Json::parse_event_t::object_start) names[at + 1].clear();
        if (event == Json::parse_event_t::key && !names[at].insert(value.get<std::string>()).second && twice.empty()) twice = "invalid JSON: " + value.get<std::string>() + " is there twice";
        return true;
    };
    Json document = Json::parse(text, look, false);
    if (document.is_discarded() || depth >= most_levels) throw bad_request("invalid JSON in the request body");
    if (!twice.empty()) throw bad_request(twice);
    return document;
}

std::string text_field(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (value.is_null()) return {};
    if (!value.is_string()) throw wrong_type(name, "a string");
    auto text = value.get<std::string>();
    if (text.find('\0') != std::string::npos)
        throw bad_request(std::string("invalid value: ") + name + " has a zero byte");
    return text;
}

bool switch_field(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (value.is_null()) return false;
    if (!value.is_boolean()) throw wrong_type(name, "a boolean");
    return value.get<bool>();
}

long long number_field(const Json& object, const char* name, long long least) {
    const Json& value = member(object, name);
    if (value.is_null()) return 0;
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<unsigned long long>() > INT64_MAX))
        throw wrong_type(name, "a whole number");
    const auto number = value.get<long long>();
    if (number < least) throw bad_request(std::string("invalid value: ") + name + " is " + std::to_string(number));
    return number;
}

std::int64_t time_field(const Json& object, const char* name) { return services::parse_time(text_field(object, name)).value_or(0); }

std::vector<std::string> list_field(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (value.is_null()) return {};
    // A single string is a list of one, for the commands of old clients.
    if (value.is_string()) return {text_field(object, name)};
    if (!value.is_array()) throw wrong_type(name, "a list");
    std::vector<std::string> result;
    for (const Json& element : value) {
        if (element.is_null()) {
            result.emplace_back(); // as Go's decoder takes it
            continue;
        }
        if (!element.is_string()) throw wrong_type(name, "a list of strings");
        result.push_back(element.get<std::string>());
        if (result.back().find('\0') != std::string::npos)
            throw bad_request(std::string("invalid value: ") + name + " has a zero byte");
    }
    return result;
}

std::map<std::string, std::string> map_field(const Json& object, const char* name) {
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : object_field(object, name).items()) {
        if (!value.is_string() && !value.is_null()) throw wrong_type(name, "a map of strings");
        result[key] = value.is_null() ? "" : value.get<std::string>();
    }
    return result;
}

const Json& object_field(const Json& object, const char* name) {
    static const Json empty = Json::object();
    const Json& value = member(object, name);
    if (value.is_null()) return empty;
    if (!value.is_object()) throw wrong_type(name, "an object");
    return value;
}

bool is_empty_value(const Json& value) {
    if (value.is_null()) return true;
    if (value.is_boolean()) return !value.get<bool>();
    if (value.is_number()) return value == 0;
    if (value.is_string()) return value.get_ref<const std::string&>().empty();
    return value.empty();
}

} // namespace engine
