// lwIP's errors as those of Linux.
#pragma once
#include "linux/core/errno.hpp"

namespace personality::net {

Errno to_errno(signed char error); // err_t

} // namespace personality::net
