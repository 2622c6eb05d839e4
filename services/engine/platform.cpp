#include "services/engine/platform.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"
#include "services/engine/json_fields.hpp"

namespace engine {

namespace {

// The architecture's levels that every processor of a node has.
constexpr std::array variants = {"", "v1"};

bool is_here(std::string system, std::string architecture, std::string variant) {
    for (std::string* part : {&system, &architecture, &variant}) *part = services::lower(*part);
    return (system.empty() || system == "linux") && (architecture.empty() || architecture == "amd64" || architecture == "x86_64" || architecture == "x86-64") &&
           std::ranges::find(variants, variant) != variants.end();
}

bool is_here(std::string_view text) {
    if (text.starts_with('{')) {
        const Json platform = Json::parse(text, nullptr, false);
        return platform.is_object() && is_here(text_field(platform, "os"), text_field(platform, "architecture"), text_field(platform, "variant"));
    }
    std::array<std::string, 3> parts;
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
        const std::string_view part = text.substr(0, text.find('/'));
        more = part.size() < text.size();
        if (count == parts.size() || part.empty()) return false;
        parts[count] = part;
        text.remove_prefix(part.size() + (more ? 1 : 0));
    }
    if (count == 1) return is_here(parts[0], "", "") || is_here("", parts[0], "");
    return is_here(parts[0], parts[1], parts[2]);
}

} // namespace

void check_platform(std::string_view text) {
    if (!text.empty() && !is_here(text)) throw bad_request("the platform " + std::string(text) + " is not supported by this node: it runs linux/amd64");
}

} // namespace engine
