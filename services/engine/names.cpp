#include "services/engine/names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "services/common/text.hpp"

namespace engine {

namespace {

constexpr std::array<std::string_view, 32> adjectives = {
    "able",  "amber", "bold",  "brave", "brisk", "calm",  "clear", "crisp", "deft",  "eager", "fair",
    "fond",  "frank", "glad",  "grand", "keen",  "kind",  "lucid", "merry", "mild",  "neat",  "noble",
    "plain", "proud", "quick", "quiet", "sharp", "smart", "sound", "swift", "vivid", "wise"};
constexpr std::array<std::string_view, 32> nouns = {
    "acorn", "alder", "aspen", "birch", "brook", "cedar",  "cliff",  "comet", "coral", "delta", "dune",
    "elm",   "ember", "fern",  "fjord", "glade", "harbor", "hazel",  "heron", "iris",  "lark",  "linden",
    "maple", "mesa",  "otter", "pine",  "reed",  "ridge",  "sorrel", "tide",  "wren",  "yarrow"};

} // namespace

bool is_container_name(const std::string& name) {
    return name.size() >= 2 && name.size() <= 255 && std::isalnum(static_cast<unsigned char>(name[0])) &&
           std::ranges::all_of(name,
                               [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::string made_up_name(int attempt) {
    const std::string digits = services::random_hexadecimal(2);
    const auto number = std::stoul(digits, nullptr, 16);
    std::string name = std::string(adjectives[number % 32]) + "_" + std::string(nouns[number / 32 % 32]);
    if (attempt > 0) name += std::to_string(attempt - 1 + number / 1024 % 8);
    return name;
}

} // namespace engine
