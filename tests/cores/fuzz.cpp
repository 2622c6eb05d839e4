// The same models driven by bytes that libFuzzer makes up: THEMELIOS_CORE names the model, THEMELIOS_ERROR an error that was put in (none: the core as it is).
// `--errors` prints which errors there are for which model.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/cores/models.hpp"
#include "tests/explore/seed.hpp"

namespace {
const cores::Model* chosen;
constexpr std::size_t command_bytes = 4;
} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
    if (*count == 2 && std::string_view((*words)[1]) == "--errors") {
        for (const cores::Seed& seed : cores::seeds) std::printf("%s %s\n", seed.model, seed.error);
        std::exit(0);
    }
    const char* const name = std::getenv("THEMELIOS_CORE");
    chosen = name ? cores::find_model(name) : nullptr;
    if (!chosen) {
        std::fprintf(stderr, "THEMELIOS_CORE names none of the cores\n");
        std::exit(2);
    }
    if (const char* const error = std::getenv("THEMELIOS_ERROR")) explore::chosen_seed = error;
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    std::vector<cores::Command> commands;
    for (; size >= command_bytes; bytes += command_bytes, size -= command_bytes)
        commands.push_back({bytes[0], bytes[1], static_cast<std::uint16_t>(bytes[2] | bytes[3] << 8)});
    try {
        chosen->run(commands);
    } catch (const cores::Broken& broken) {
        std::fprintf(stderr, "BROKEN %s: %s, after", chosen->name, broken.what());
        for (const cores::Command& command : commands) std::fprintf(stderr, " {%u, %u, %u}", command.kind, command.subject, command.value);
        std::fprintf(stderr, "\n");
        std::abort();
    }
    return 0;
}
