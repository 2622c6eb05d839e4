// A request that is refused: the HTTP status and the sentence of the answer {"message": ...}.
#pragma once
#include <stdexcept>
#include <string>

namespace engine {

class ApiError : public std::runtime_error {
public:
    ApiError(int status, const std::string& message) : std::runtime_error(message), status(status) {}
    int status;
};

inline ApiError bad_request(const std::string& message) { return {400, message}; }
inline ApiError not_supported(const std::string& what) { return {501, what + " is not supported by this node"}; }

} // namespace engine
