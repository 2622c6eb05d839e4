// Archives for tests, made by hand so that they can be wrong.
#pragma once
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "services/common/tar_reader.hpp"

namespace images::testing {

inline const std::string end_mark(1024, '\0');

// The head of a tar entry, alone; its size may be a lie.
std::string head(const std::string& name, char type, std::uint64_t size, const std::string& target = "",
                 unsigned mode = 0644);
// Puts the right checksum into a head.
void set_checksum(char* head);
// An entry of a tar archive. `type` as in the format: '0' file, '1' hard link, '2' link, '5' directory ...
std::string entry(const std::string& name, char type, const std::string& content = "", const std::string& target = "",
                  unsigned mode = 0644);
// Gives `bytes` (borrowed) in pieces.
services::ByteSource source(const std::string& bytes, std::size_t piece = 1000);

std::string gzip(const std::string& bytes);
std::string zstd(const std::string& bytes);

// An image configuration over the layers' tar archives.
std::string configuration(const std::vector<std::string>& layers, const std::string& architecture = "amd64");
// A docker-save archive: `files` are the layers as they lie in it, maybe compressed.
std::string saved(const std::vector<std::string>& layers, const std::vector<std::string>& files,
                  const std::string& name = "test:1");

// An OCI layout.
struct Layout {
    std::string archive;
    // Adds a blob; gives its digest.
    std::string add(const std::string& content);
    nlohmann::json descriptor(const std::string& content);
    // A manifest's descriptor with its platform.
    nlohmann::json manifest(const std::vector<std::string>& layers, const std::vector<std::string>& files,
                            const std::string& architecture = "amd64");
    std::string finish(const std::vector<nlohmann::json>& manifests) const;
};

} // namespace images::testing
