// Whether a request comes from a program that knows this API, and not from a web page that a browser opened: the API has no pages of its own, and the browser of whoever reaches the node
// would lend a page its way to it.
#pragma once
#include <string_view>

namespace engine {

// `origin`, `site`: the heads Origin and Sec-Fetch-Site, empty where they are absent. Throws ApiError 403 where a page asks.
void check_source(std::string_view origin, std::string_view site);
// The head Content-Type of a request with a body. Throws ApiError 415 where it is another one than JSON's: a page can send a few types without being asked whether it may.
void check_json_type(std::string_view content_type);

} // namespace engine
