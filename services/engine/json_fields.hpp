// Members of a client's JSON, with the type checked: absent and null give the fallback, another type is ApiError 400.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace engine {

using Json = nlohmann::json;

// What a client sends, before anything walks it. Throws ApiError 400 where it is none, is nested deeper than 63 levels, or has an object with two members of one name, of which readers take
// this or that one.
Json parse_json(const std::string& text);

std::string text_field(const Json& object, const char* name);
bool switch_field(const Json& object, const char* name);
// Within the range of 64 bits, not below `least`.
long long number_field(const Json& object, const char* name, long long least = 0);
// Seconds since 1970 of a time that an image tells (RFC 3339); 0 where it tells none.
std::int64_t time_field(const Json& object, const char* name);
std::vector<std::string> list_field(const Json& object, const char* name);
std::map<std::string, std::string> map_field(const Json& object, const char* name);
// An object; an empty one where it is absent.
const Json& object_field(const Json& object, const char* name);
// Nothing is asked for: null, false, 0, "", a list or object without members. One with an empty member asks for something: {"/tmp": ""} is a file system.
bool is_empty_value(const Json& value);

} // namespace engine
