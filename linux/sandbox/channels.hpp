// Channels: endpoints named `channel.NAME` that the sandbox was given, shown to its programs as the sequential-packet sockets /run/themelios/NAME.
#pragma once
#include "linux/core/errno.hpp"

namespace personality {

// Makes the sockets, and the calling thread a task. After the root file system; lock not held. Errors: ENOMEM, and those of making a socket's name.
LinuxResult<void> start_channels();

} // namespace personality
