#include "services/common/digest.hpp"

#include <openssl/evp.h>
#include <stdexcept>

#include "services/common/text.hpp"

namespace services {

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("SHA-256 is not available");
}
Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size) { EVP_DigestUpdate(state_->context, data, size); }

std::string Sha256::finish() {
    unsigned char digest[32];
    EVP_DigestFinal_ex(state_->context, digest, nullptr);
    return "sha256:" + hexadecimal(digest);
}

std::string sha256_of(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes.data(), bytes.size());
    return hash.finish();
}

} // namespace services
