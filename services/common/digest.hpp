// SHA-256 of a stream of bytes.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace services {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    void update(const void* data, std::size_t size);
    // "sha256:" and 64 digits. Called once.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string sha256_of(std::string_view bytes);

} // namespace services
