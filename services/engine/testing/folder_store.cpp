// An image store for tests on a development machine: unpacks with tar and mkfs.erofs under $THEMELIOS_TEST_STORE. It
// trusts its input.
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <unistd.h>

#include "services/common/digest.hpp"
#include "services/common/text.hpp"
#include "services/images/open_store.hpp"

namespace images {

namespace fs = std::filesystem;

std::string normalize_name(std::string_view name) {
    if (services::consume(name, "docker.io/")) services::consume(name, "library/");
    std::string result(name);
    if (result.empty()) throw ImageError(400, "invalid reference format");
    if (result.substr(result.rfind('/') + 1).find(':') == std::string::npos) result += ":latest";
    return result;
}

namespace {

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void shell(const std::string& command) {
    if (std::system((command + " >/dev/null 2>&1").c_str()) != 0)
        throw ImageError(400, "invalid archive: failed: " + command);
}

class FolderStore : public ImageStore {
public:
    explicit FolderStore(fs::path folder) : folder_(std::move(folder)) { fs::create_directories(folder_); }

    std::vector<std::string> load(const Reader& read) override {
        std::lock_guard lock(mutex_);
        const fs::path scratch = folder_ / ("load-" + services::random_hexadecimal(4));
        fs::create_directories(scratch);
        std::vector<std::string> names;
        try {
            std::ofstream archive(scratch / "archive", std::ios::binary);
            std::string buffer(64 << 10, '\0');
            while (const std::size_t count = read(buffer.data(), buffer.size()))
                archive.write(buffer.data(), static_cast<std::streamsize>(count));
            archive.close();
            shell("tar -xf " + (scratch / "archive").string() + " -C " + scratch.string());
            const auto manifest = nlohmann::json::parse(read_file(scratch / "manifest.json"), nullptr, false);
            if (!manifest.is_array()) throw ImageError(400, "invalid archive: no manifest.json");
            for (const auto& entry : manifest) names.push_back(load_one(scratch, entry));
        } catch (...) {
            fs::remove_all(scratch);
            throw;
        }
        fs::remove_all(scratch);
        return names;
    }
    std::vector<Image> list() override {
        std::lock_guard lock(mutex_);
        std::vector<Image> result;
        for (const auto& [id, image] : images_) result.push_back(image);
        return result;
    }
    std::optional<Image> find(std::string_view reference) override {
        std::lock_guard lock(mutex_);
        const auto found = locate(reference);
        return found == images_.end() ? std::nullopt : std::optional(found->second);
    }
    void tag(std::string_view reference, std::string_view repository, std::string_view tag) override {
        std::lock_guard lock(mutex_);
        const auto found = locate(reference);
        if (found == images_.end()) throw ImageError(404, "No such image: " + std::string(reference));
        const std::string name = std::string(repository) + ":" + std::string(tag);
        for (auto& [id, image] : images_) std::erase(image.names, name);
        found->second.names.push_back(name);
    }
    Removed remove(std::string_view reference, bool force, const std::vector<std::string>& in_use) override {
        std::lock_guard lock(mutex_);
        const auto found = locate(reference);
        if (found == images_.end()) throw ImageError(404, "No such image: " + normalize_name(reference));
        Removed removed;
        Image& image = found->second;
        const std::string name = normalize_name(reference);
        if (std::find(image.names.begin(), image.names.end(), name) != image.names.end() && image.names.size() > 1) {
            std::erase(image.names, name);
            removed.untagged.push_back(name);
            return removed;
        }
        const bool used = std::find(in_use.begin(), in_use.end(), image.id) != in_use.end();
        if (used && !force)
            throw ImageError(409, "conflict: unable to remove repository reference \"" + std::string(reference) +
                                      "\" (must force)");
        removed.untagged = image.names;
        removed.deleted.push_back(image.id);
        images_.erase(found);
        return removed;
    }
    int open_layer(std::string_view diff_id) override {
        const int fd = ::open((folder_ / (std::string(diff_id.substr(7)) + ".erofs")).c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) throw ImageError(500, "the layer " + std::string(diff_id) + " is not there");
        return fd;
    }

private:
    std::string load_one(const fs::path& scratch, const nlohmann::json& entry) {
        const std::string text = read_file(scratch / entry.at("Config").get<std::string>());
        Image image;
        image.id = services::sha256_of(text);
        image.configuration = nlohmann::json::parse(text);
        image.layers = image.configuration.at("rootfs").at("diff_ids").get<std::vector<std::string>>();
        image.loaded = services::realtime_nanoseconds() / 1'000'000'000;
        for (std::size_t at = 0; at < image.layers.size(); ++at) {
            const fs::path layer = folder_ / (image.layers[at].substr(7) + ".erofs");
            const fs::path tar = scratch / entry.at("Layers").at(at).get<std::string>();
            image.size += fs::file_size(tar);
            const fs::path root = scratch / ("root" + std::to_string(at));
            fs::create_directories(root);
            shell("tar -xf " + tar.string() + " -C " + root.string());
            if (!fs::exists(layer)) shell("mkfs.erofs " + layer.string() + " " + root.string());
        }
        for (const auto& name : entry.at("RepoTags")) image.names.push_back(name.get<std::string>());
        const std::string shown = image.names.empty() ? image.id : image.names.front();
        for (auto& [id, other] : images_)
            for (const std::string& name : image.names) std::erase(other.names, name);
        images_[image.id] = std::move(image);
        return shown;
    }
    std::map<std::string, Image>::iterator locate(std::string_view reference) {
        for (auto at = images_.begin(); at != images_.end(); ++at)
            if (at->first == reference || (reference.size() >= 2 && at->first.substr(7).starts_with(reference)))
                return at;
        const std::string name = normalize_name(reference);
        for (auto at = images_.begin(); at != images_.end(); ++at)
            for (const std::string& each : at->second.names)
                if (each == name) return at;
        return images_.end();
    }
    fs::path folder_;
    std::mutex mutex_;
    std::map<std::string, Image> images_;
};

} // namespace

std::unique_ptr<ImageStore> open_store() {
    const char* folder = std::getenv("THEMELIOS_TEST_STORE");
    return std::make_unique<FolderStore>(folder != nullptr ? folder : "/tmp/themelios-store");
}

} // namespace images
