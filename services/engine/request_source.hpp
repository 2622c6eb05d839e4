// Whether a request comes from a program that knows this API, and not from a web page that a browser opened: the API has no pages of its own, and the browser of whoever reaches the node
// would lend a page its way to it.
#pragma once
#include <string_view>

namespace engine {

// `origin`, `site`, `host`: the heads Origin, Sec-Fetch-Site and Host, empty where they are absent. Throws ApiError 403 where a page asks, or may: a page's server can give its own name
// the node's address (DNS rebinding), but no page is at a bare address, at "localhost", or at a name without a dot.
void check_source(std::string_view origin, std::string_view site, std::string_view host);
// The head Content-Type of a request with a body. Throws ApiError 415 where it is another one than JSON's: a page can send a few types without being asked whether it may.
void check_json_type(std::string_view content_type);

} // namespace engine
