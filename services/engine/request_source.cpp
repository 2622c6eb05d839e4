#include "services/engine/request_source.hpp"

#include <string>

#include <arpa/inet.h>

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

namespace {

// Without the port, in small letters; a dot behind the last label is not a part of it.
std::string host_name(std::string_view host) {
    if (const auto colon = host.rfind(':'); colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
    if (host.ends_with('.')) host.remove_suffix(1);
    return services::lower(host);
}

bool may_be_a_pages(const std::string& name) {
    in_addr address;
    return name.contains('.') && !name.ends_with(".localhost") && !name.starts_with('[') && ::inet_pton(AF_INET, name.c_str(), &address) != 1;
}

} // namespace

void check_source(std::string_view origin, std::string_view site, std::string_view host) {
    // "none": what a person typed into a browser; it reads, and no page sees the answer.
    if (!origin.empty() || (!site.empty() && site != "none")) throw ApiError(403, "a web page may not use this API; a proxy for programs takes the heads Origin and Sec-Fetch-Site away");
    if (const std::string name = host_name(host); may_be_a_pages(name))
        throw ApiError(403, "the API is asked for under the name " + name + ", which a web page could have: use the node's address, localhost, or a name without a dot");
}

void check_json_type(std::string_view content_type) {
    std::string_view type = content_type.substr(0, content_type.find(';'));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
    if (services::lower(type) != "application/json")
        throw ApiError(415, "unsupported Content-Type header (" + std::string(content_type) + "): must be 'application/json'");
}

} // namespace engine
