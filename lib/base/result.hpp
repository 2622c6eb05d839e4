// How a failure travels: Result<T> and TRY.
#pragma once
#include "abi/types.hpp"

#include <expected>
#include <type_traits>
#include <utility>

namespace base {

using Error = abi::Error;
template <class T> using Result = std::expected<T, Error>;
inline std::unexpected<Error> fail(Error error) { return std::unexpected(error); }

namespace detail {
template <class R> decltype(auto) unwrap(R& result) {
    if constexpr (!std::is_void_v<typename R::value_type>)
        return std::move(*result);
}
} // namespace detail

} // namespace base

// The value of a Result, or return its error from the enclosing function.
#define TRY(...)                                                                                                                                      \
    ({                                                                                                                                                \
        auto try_result_ = (__VA_ARGS__);                                                                                                             \
        if (!try_result_) [[unlikely]]                                                                                                                \
            return std::unexpected(try_result_.error());                                                                                              \
        ::base::detail::unwrap(try_result_);                                                                                                          \
    })
