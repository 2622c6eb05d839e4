#include "services/engine/detach_keys.hpp"

#include "services/common/text.hpp"
#include "services/engine/error.hpp"

namespace engine {

DetachKeys::DetachKeys(std::string_view text) {
    for (const std::string& key : services::split(text.empty() ? "ctrl-p,ctrl-q" : text, ',')) {
        std::string_view rest = key;
        const bool control = services::consume(rest, "ctrl-");
        const char character = rest.size() == 1 ? rest[0] : '\0';
        const bool letter = character >= 'a' && character <= 'z';
        if (character == '\0' ||
            (control && !letter && std::string_view("@[\\]^_").find(character) == std::string_view::npos))
            throw bad_request("Unknown character: '" + key + "'");
        keys_ += control ? static_cast<char>(character & 0x1f) : character;
    }
}

std::string DetachKeys::filter(std::string_view typed) {
    std::string passed;
    for (const char character : typed) {
        if (detached_) break;
        if (character == keys_[matched_]) {
            detached_ = ++matched_ == keys_.size();
            continue;
        }
        passed.append(keys_, 0, matched_);
        matched_ = 0;
        if (character == keys_[0])
            detached_ = ++matched_ == keys_.size();
        else
            passed += character;
    }
    return passed;
}

} // namespace engine
