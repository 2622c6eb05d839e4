// The keys by which a client of a terminal detaches and leaves the container running ("ctrl-p,ctrl-q").
#pragma once
#include <string>
#include <string_view>

namespace engine {

class DetachKeys {
public:
    // As clients write them: single characters and "ctrl-" with a letter or one of @ [ \ ] ^ _, with commas between. ""
    // means Docker's own. Throws ApiError 400.
    explicit DetachKeys(std::string_view text);

    // What of the typed bytes goes to the program. Keys of an unfinished sequence are held back until it is clear.
    std::string filter(std::string_view typed);
    // The sequence was typed; what came after it is dropped.
    bool detached() const { return detached_; }

private:
    std::string keys_;
    std::size_t matched_ = 0;
    bool detached_ = false;
};

} // namespace engine
