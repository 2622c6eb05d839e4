// What most files of the engine include: parsed once.
#pragma once
#include "services/engine/connection.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
