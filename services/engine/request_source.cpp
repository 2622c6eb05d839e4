#include "services/engine/request_source.hpp"

#include <string>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

void check_source(std::string_view origin, std::string_view site) {
    // "none": what a person typed into a browser; it reads, and no page sees the answer.
    if (!origin.empty() || (!site.empty() && site != "none")) throw ApiError(403, "a web page may not use this API; a proxy for programs takes the heads Origin and Sec-Fetch-Site away");
}

void check_json_type(std::string_view content_type) {
    std::string_view type = content_type.substr(0, content_type.find(';'));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
    if (services::lower(type) != "application/json")
        throw ApiError(415, "unsupported Content-Type header (" + std::string(content_type) + "): must be 'application/json'");
}

} // namespace engine
