#include "lib/native/log.hpp"
#include "lib/native/start.hpp"

int native_main() {
    native::print("hello");
    return 0;
}
