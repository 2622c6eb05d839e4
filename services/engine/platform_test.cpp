#include "services/engine/platform.hpp"

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

TEST(Platform, IsTheNodesOwn) {
    for (const char* text : {"", "linux", "amd64", "linux/amd64", "Linux/AMD64", "linux/x86_64", "linux/amd64/v1", "{}", R"({"os":"linux","architecture":"amd64"})"})
        EXPECT_NO_THROW(check_platform(text)) << text;
}

TEST(Platform, OfAnotherMachineIsRefused) {
    for (const char* text : {"junk", "linux/junk", "linux/amd64junk", "linux/amd64/v9", "linux/amd64/v1/x", "linux/", "/amd64", "linux//v1", "linux/arm64", "windows/amd64", "windows", "{", "[]",
                             R"({"os":"windows"})", R"({"os":"linux","architecture":"arm64"})"})
        EXPECT_THROW(check_platform(text), ApiError) << text;
    EXPECT_THROW(check_platform(R"({"os":3})"), ApiError);
}

} // namespace
} // namespace engine
