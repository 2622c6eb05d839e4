// The first program. Reads the image file in the root image and starts exactly what it says. The word `image=PATH` on the kernel's command line names another one.
#include <memory>
#include <new>

#include "lib/native/clock.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/log.hpp"
#include "lib/native/start.hpp"
#include "servers/init/node.hpp"

namespace {

constexpr std::string_view default_image = "/images/node.image";

// A word KEY=value of the command line.
std::string_view option(std::string_view key, std::string_view fallback) {
    const auto bytes = native::argument_bytes();
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!rest.empty()) {
        const std::string_view word = rest.substr(0, rest.find_first_of(std::string_view(" \0", 2)));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
            return word.substr(key.size() + 1);
    }
    return fallback;
}

base::Result<void> run() {
    const native::RootImage root = TRY(native::RootImage::open(TRY(native::require("root_image"))));
    const std::string_view path = option("image", default_image);
    const native::FileMemory text = TRY(root.file(path));
    const native::Mapping mapping = TRY(native::Mapping::of(text.memory.get(), 0, text.size, abi::protection::read));
    const std::unique_ptr<init::ImageFile> file(new (std::nothrow) init::ImageFile);
    if (!file)
        return std::unexpected(abi::Error::no_memory);
    init::ParseError error;
    if (!init::parse({mapping.as<const char>(), text.size}, *file, error)) {
        native::print("init: ", path, " line ", error.line, ": ", error.reason);
        return std::unexpected(abi::Error::broken);
    }
    init::Node node(*file, root);
    TRY(node.start());
    node.watch();
    native::print("init: nothing runs any more");
    return {};
}

} // namespace

int native_main() {
    if (auto result = run(); !result)
        native::print("init: the node cannot start: ", native::error_name(result.error()));
    // The first process stays: its end would be the node's.
    static constinit std::uint32_t word = 0;
    for (;;)
        (void)native::futex_wait(&word, 0);
}
