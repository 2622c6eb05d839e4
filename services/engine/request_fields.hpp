// Every member of a request's body, at any depth, is one that the engine knows, or one that asks for nothing.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/engine/error.hpp"
#include "services/engine/json_fields.hpp"

namespace engine {

struct RequestField {
    enum class Treatment { honoured, no_effect, refused };
    std::string_view path; // names joined by '.'; "*" for any member of a map, "[]" for any element of a list
    Treatment treatment;
};

// Of POST /containers/create.
std::span<const RequestField> create_fields();
// Of POST /containers/ID/update.
std::span<const RequestField> update_fields();

// Holds a body, an object, against the fields that there are. Names are compared without regard to case, as clients may rely on, and get the spelling of `fields`. Gives a warning for each
// member that has no effect although it asks for something, and for each that is not known and asks for nothing, but for null; most_field_warnings of them at most, the last one for all others. Throws what
// `refuse` makes of the path of a member that is refused, or not known, and asks for something. Throws ApiError 400: a member that is given twice; something else where an object or a list
// is expected.
inline constexpr std::size_t most_field_warnings = 64;
std::vector<std::string> check_fields(Json& body, std::span<const RequestField> fields, const std::function<ApiError(const std::string& path)>& refuse);

} // namespace engine
