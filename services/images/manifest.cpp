#include "services/images/manifest.hpp"

#include <algorithm>

#include "services/common/digest.hpp"
#include "services/common/text.hpp"
#include "services/images/image_store.hpp"

namespace images {

namespace {

using nlohmann::json;

constexpr int deepest_json = 64;
constexpr unsigned deepest_index = 4;
constexpr std::size_t most_images = 64, most_layers = 128, most_names = 256, most_descriptors = 1024;
constexpr std::string_view system_name = "linux", architecture_name = "amd64";

ImageError damaged(const std::string& why) { return {400, "invalid archive: " + why}; }

json parse(const std::string& text, const std::string& name) {
    auto bounded = [](int depth, json::parse_event_t, json&) {
        // The parser takes what it is in whole; to throw is the only way to end it.
        if (depth > deepest_json) throw damaged("JSON that is nested too deep");
        return true;
    };
    json document = json::parse(text, bounded, false);
    if (document.is_discarded()) throw damaged(name + " is no JSON");
    return document;
}

// What is shown and handed to programs later cannot have a zero byte.
std::string text_in(const json& value, const char* name) {
    if (!value.is_string()) throw damaged(std::string(name) + " is no text");
    auto text = value.get<std::string>();
    if (text.find('\0') != std::string::npos) throw damaged(std::string(name) + " has a zero byte");
    return text;
}

std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) return "";
    return text_in(*found, name);
}

const json& object_of(const json& object, const char* name) {
    static const json none = json::object();
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return none;
    if (!found->is_object()) throw damaged(std::string(name) + " is no object");
    return *found;
}

const json& list_of(const json& object, const char* name) {
    static const json none = json::array();
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return none;
    if (!found->is_array()) throw damaged(std::string(name) + " is no list");
    return *found;
}

std::vector<std::string> texts_of(const json& object, const char* name) {
    std::vector<std::string> result;
    for (const json& each : list_of(object, name)) {
        if (!each.is_string()) throw damaged(std::string(name) + " is no list of texts");
        result.push_back(text_in(each, name));
    }
    return result;
}

bool is_digest(std::string_view text) {
    return services::consume(text, "sha256:") && text.size() == 64 && services::is_hexadecimal(text) &&
           services::lower(text) == text;
}

// A text that says nothing may be null.
void check_text(const json& object, const char* name) {
    if (const auto found = object.find(name); found != object.end() && !found->is_null()) text_of(object, name);
}

// A list of texts, or one text.
void check_texts(const json& object, const char* name) {
    if (const auto found = object.find(name); found != object.end() && found->is_string())
        text_of(object, name);
    else
        texts_of(object, name);
}

// What is read of a configuration later on, when it is shown or a container is made of it, is of the type that the OCI image specification says.
void check_types(const json& configuration) {
    for (const char* name : {"created", "author"}) check_text(configuration, name);
    for (const json& entry : list_of(configuration, "history")) {
        if (!entry.is_object()) throw damaged("history is no list of objects");
        for (const char* name : {"created", "created_by", "comment"}) check_text(entry, name);
    }
    const json& config = object_of(configuration, "config");
    for (const char* name : {"User", "WorkingDir", "StopSignal"}) check_text(config, name);
    for (const char* name : {"Env", "Cmd", "Entrypoint", "OnBuild", "Shell"}) check_texts(config, name);
    for (const char* name : {"ExposedPorts", "Volumes", "Healthcheck"}) object_of(config, name);
    for (const auto& [name, value] : object_of(config, "Labels").items())
        if (!value.is_string()) throw damaged("the label " + name + " is no text");
}

// Fills in all but the layers' files.
Description describe_image(const std::string& configuration, const std::vector<std::string>& names) {
    Description image;
    image.id = services::sha256_of(configuration);
    image.configuration = parse(configuration, "the configuration");
    if (!image.configuration.is_object()) throw damaged("the configuration is no object");
    check_types(image.configuration);
    const std::string system = text_of(image.configuration, "os");
    const std::string architecture = text_of(image.configuration, "architecture");
    if ((!system.empty() && system != system_name) || (!architecture.empty() && architecture != architecture_name))
        throw ImageError(400, "the image is for " + system + "/" + architecture + "; this node runs linux/amd64");
    image.diff_ids = texts_of(object_of(image.configuration, "rootfs"), "diff_ids");
    if (image.diff_ids.empty()) throw damaged("the configuration names no layers");
    if (image.diff_ids.size() > most_layers) throw damaged("the image has too many layers");
    for (const std::string& digest : image.diff_ids)
        if (!is_digest(digest)) throw damaged("\"" + digest + "\" is no SHA-256 digest");
    if (names.size() > most_names) throw damaged("the image has too many names");
    for (const std::string& name : names) image.names.push_back(normalize_name(name));
    std::ranges::sort(image.names);
    const auto rest = std::ranges::unique(image.names);
    image.names.erase(rest.begin(), rest.end());
    return image;
}

void check_count(const Description& image) {
    if (image.files.size() != image.diff_ids.size())
        throw damaged("the manifest names " + std::to_string(image.files.size()) + " layers, the configuration " +
                      std::to_string(image.diff_ids.size()));
}

std::vector<Description> describe_saved(const Archive& archive, const std::string& text) {
    const json entries = parse(text, "manifest.json");
    if (!entries.is_array() || entries.empty()) throw damaged("manifest.json has no images");
    if (entries.size() > most_images) throw damaged("it has too many images");
    std::vector<Description> images;
    for (const json& entry : entries) {
        if (!entry.is_object()) throw damaged("manifest.json is no list of objects");
        const std::string* configuration = archive.document(text_of(entry, "Config"));
        if (configuration == nullptr) throw damaged("the configuration is missing");
        images.push_back(describe_image(*configuration, texts_of(entry, "RepoTags")));
        images.back().files = texts_of(entry, "Layers");
        check_count(images.back());
    }
    return images;
}

// The images of an OCI layout.
class Layout {
public:
    explicit Layout(const Archive& archive) : archive_(archive) {}

    std::vector<Description> describe(const std::string& index) {
        const std::string* mark = archive_.document("oci-layout");
        if (mark == nullptr) throw damaged("it has an index.json, and no oci-layout");
        const json layout = parse(*mark, "oci-layout");
        if (!layout.is_object() || text_of(layout, "imageLayoutVersion") != "1.0.0")
            throw damaged("its layout is of an unknown version");
        take_index(parse(index, "index.json"), {}, 0);
        if (images_.empty()) throw ImageError(400, "the archive has no image for linux/amd64");
        return std::move(images_);
    }

private:
    static bool fits(const json& descriptor) {
        const json& platform = object_of(descriptor, "platform");
        return platform.empty() ||
               (text_of(platform, "os") == system_name && text_of(platform, "architecture") == architecture_name);
    }

    static std::string path_of(const json& descriptor) {
        const std::string digest = descriptor.is_object() ? text_of(descriptor, "digest") : "";
        if (!is_digest(digest)) throw damaged("a descriptor without a SHA-256 digest");
        return "blobs/sha256/" + digest.substr(7);
    }

    // The archive has compared its digest.
    const std::string& content_of(const json& descriptor) const {
        const std::string path = path_of(descriptor);
        const std::string* text = archive_.document(path);
        if (text == nullptr) throw damaged(path + " is missing");
        const auto size = descriptor.find("size");
        if (size == descriptor.end() || !size->is_number_unsigned() || size->get<std::uint64_t>() != text->size())
            throw damaged(path + " is not of the size that its descriptor says");
        return *text;
    }

    // Names go down to the images of an index of platforms.
    static std::vector<std::string> names_of(const json& descriptor, std::vector<std::string> names) {
        const json& annotations = object_of(descriptor, "annotations");
        std::string name = text_of(annotations, "io.containerd.image.name");
        if (name.empty()) name = text_of(annotations, "org.opencontainers.image.ref.name");
        // Many tools write the tag alone, which names nothing.
        if (name.find_first_of(":/") != std::string::npos) names.push_back(name);
        return names;
    }

    void take_index(const json& index, const std::vector<std::string>& names, unsigned depth) {
        if (!index.is_object()) throw damaged("an index is no object");
        if (depth > deepest_index) throw damaged("its indexes are nested too deep");
        for (const json& descriptor : list_of(index, "manifests")) {
            if (!descriptor.is_object()) throw damaged("a descriptor is no object");
            if (++descriptors_ > most_descriptors) throw damaged("its indexes have too many entries");
            if (!fits(descriptor)) continue;
            const auto all_names = names_of(descriptor, names);
            const json document = parse(content_of(descriptor), "a manifest");
            if (document.is_object() && document.contains("manifests"))
                take_index(document, all_names, depth + 1);
            else
                take_manifest(document, all_names);
        }
    }

    void take_manifest(const json& manifest, const std::vector<std::string>& names) {
        if (!manifest.is_object() || !manifest.contains("config")) throw damaged("a manifest has no configuration");
        if (images_.size() == most_images) throw damaged("it has too many images");
        Description image = describe_image(content_of(manifest["config"]), names);
        for (const json& layer : list_of(manifest, "layers")) image.files.push_back(path_of(layer));
        check_count(image);
        const auto same = std::ranges::find(images_, image.id, &Description::id);
        if (same == images_.end()) {
            images_.push_back(std::move(image));
            return;
        }
        for (const std::string& name : image.names)
            if (std::ranges::find(same->names, name) == same->names.end()) same->names.push_back(name);
        std::ranges::sort(same->names);
    }

    const Archive& archive_;
    std::vector<Description> images_;
    std::size_t descriptors_ = 0; // seen, over all indexes
};

} // namespace

std::vector<Description> describe(const Archive& archive) {
    if (const std::string* text = archive.document("manifest.json")) return describe_saved(archive, *text);
    if (const std::string* text = archive.document("index.json")) return Layout(archive).describe(*text);
    throw damaged("it has neither a manifest.json nor an index.json");
}

} // namespace images
