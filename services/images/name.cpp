#include <algorithm>

#include "services/common/text.hpp"
#include "services/images/image_store.hpp"

namespace images {

namespace {

bool fits(std::string_view text, std::string_view punctuation, bool upper) {
    return std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z') ||
               punctuation.find(c) != std::string_view::npos;
    });
}

} // namespace

std::string normalize_name(std::string_view name) {
    if (services::consume(name, "docker.io/")) services::consume(name, "library/");
    std::string_view repository = name;
    std::string_view tag = "latest";
    const auto slash = name.rfind('/');
    const auto colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
    if (colon != std::string_view::npos) {
        repository = name.substr(0, colon);
        tag = name.substr(colon + 1);
    }
    const bool good_tag = !tag.empty() && tag.size() <= 128 && fits(tag, "_.-", true) && tag[0] != '.' && tag[0] != '-';
    bool good = !repository.empty() && repository.size() <= 255;
    bool first = true;
    for (const std::string& part : services::split(repository, '/')) {
        // The first part may be a registry with a port.
        const bool host = first && slash != std::string_view::npos && part.find_first_of(".:") != std::string::npos;
        good = good && !part.empty() && fits(part, host ? "._-:" : "._-", host) && part[0] != '.' && part[0] != '-' &&
               part[0] != '_';
        first = false;
    }
    if (!good && services::lower(repository) != repository)
        throw ImageError(400, "invalid reference format: repository name (" + std::string(repository) +
                                  ") must be lowercase");
    if (!good || !good_tag) throw ImageError(400, "invalid reference format");
    return std::string(repository) + ":" + std::string(tag);
}

} // namespace images
