// Files that say that they are programs, and lie. Linux notices some lies before execve gives the caller up and some after it, so what is compared is whether the program ran.
#include "tests/linux/conformance/check.hpp"

#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace conformance {

constexpr std::uint64_t base = 0x400000;
constexpr char path[] = "/tmp/liar";

// A program that exits with 42: one segment, read and executed, and room for one more header.
struct File {
    Elf64_Ehdr header{};
    Elf64_Phdr segments[2]{};
    unsigned char code[16] = {0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}; // mov edi, 42; mov eax, 60; syscall
    char text[32] = "/nowhere/interpreter";
};

static File honest() {
    File file;
    std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_ident[EI_DATA] = ELFDATA2LSB;
    file.header.e_ident[EI_VERSION] = EV_CURRENT;
    file.header.e_type = ET_EXEC;
    file.header.e_machine = EM_X86_64;
    file.header.e_version = EV_CURRENT;
    file.header.e_entry = base + offsetof(File, code);
    file.header.e_phoff = offsetof(File, segments);
    file.header.e_ehsize = sizeof(Elf64_Ehdr);
    file.header.e_phentsize = sizeof(Elf64_Phdr);
    file.header.e_phnum = 1;
    Elf64_Phdr& segment = file.segments[0];
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_vaddr = segment.p_paddr = base;
    segment.p_filesz = segment.p_memsz = sizeof(File);
    segment.p_align = 4096;
    return file;
}

static void try_file(const char* lie, const std::function<void(File&)>& change, std::size_t length = sizeof(File)) {
    File file = honest();
    change(file);
    unlink(path);
    const int descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0755);
    write(descriptor, &file, length);
    close(descriptor);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        char* const arguments[] = {const_cast<char*>(path), nullptr};
        execve(path, arguments, nullptr);
        _exit(1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    show_text(lie, WIFEXITED(status) && WEXITSTATUS(status) == 42 ? "ran" : "refused");
}

static void add_interpreter(File& file, std::uint64_t offset, std::uint64_t size) {
    file.header.e_phnum = 2;
    file.segments[1] = file.segments[0];
    file.segments[0] = {};
    file.segments[0].p_type = PT_INTERP;
    file.segments[0].p_flags = PF_R;
    file.segments[0].p_offset = offset;
    file.segments[0].p_filesz = file.segments[0].p_memsz = size;
}

void lies() {
    try_file("no lie", [](File&) {});
    try_file("magic", [](File& file) { file.header.e_ident[0] = 0; });
    try_file("machine", [](File& file) { file.header.e_machine = EM_ARM; });
    try_file("object file", [](File& file) { file.header.e_type = ET_REL; });
    try_file("header size", [](File& file) { file.header.e_phentsize = 1; });
    try_file("no headers", [](File& file) { file.header.e_phnum = 0; });
    try_file("too many headers", [](File& file) { file.header.e_phnum = 0xffff; });
    try_file("headers behind the end", [](File& file) { file.header.e_phoff = 1 << 20; });
    try_file("headers at the end of all numbers", [](File& file) { file.header.e_phoff = ~std::uint64_t{0} - 8; });
    try_file("cut in the header", [](File&) {}, 40);
    try_file("cut in the table", [](File&) {}, sizeof(Elf64_Ehdr) + 20);
    try_file("empty", [](File&) {}, 0);
    try_file("nothing to load", [](File& file) { file.segments[0].p_type = PT_NOTE; });
    try_file("entry elsewhere", [](File& file) { file.header.e_entry = 0x10'0000'0000; });
    try_file("entry of the kernel", [](File& file) { file.header.e_entry = 0xffff'8000'0020'0000; });
    try_file("address of the kernel", [](File& file) { file.segments[0].p_vaddr = 0xffff'8000'0020'0000; });
    try_file("address at the border", [](File& file) { file.segments[0].p_vaddr = 0x7fff'ffff'f000; });
    try_file("address that wraps", [](File& file) { file.segments[0].p_vaddr = ~std::uint64_t{0} & ~std::uint64_t{4095}; });
    try_file("huge in memory", [](File& file) { file.segments[0].p_memsz = std::uint64_t{1} << 62; });
    try_file("less in memory than in the file", [](File& file) { file.segments[0].p_memsz = 16; });
    try_file("offset behind the end", [](File& file) { file.segments[0].p_offset = 1 << 20; });
    try_file("offset that does not fit the address", [](File& file) { file.segments[0].p_offset = 100; });
    try_file("not executable", [](File& file) { file.segments[0].p_flags = PF_R; });
    try_file("interpreter that is not there", [](File& file) { add_interpreter(file, offsetof(File, text), 21); });
    try_file("interpreter without an end", [](File& file) { add_interpreter(file, offsetof(File, text), 5); });
    try_file("interpreter of no length", [](File& file) { add_interpreter(file, offsetof(File, text), 0); });
    try_file("interpreter of any length", [](File& file) { add_interpreter(file, offsetof(File, text), std::uint64_t{1} << 40); });
    try_file("interpreter behind the end", [](File& file) { add_interpreter(file, 1 << 20, 21); });
    try_file("its own interpreter", [](File& file) {
        std::strcpy(file.text, path);
        add_interpreter(file, offsetof(File, text), sizeof path);
    });
    unlink(path);
}

} // namespace conformance
