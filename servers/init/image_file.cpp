#include "servers/init/image_file.hpp"

#include <algorithm>

#include "lib/base/format.hpp"

namespace init {

namespace {

struct RightName {
    std::string_view name;
    abi::Rights right;
};
constexpr RightName right_names[] = {
    {"duplicate", abi::right::duplicate}, {"transfer", abi::right::transfer}, {"inspect", abi::right::inspect}, {"read", abi::right::read},
    {"write", abi::right::write},         {"execute", abi::right::execute},   {"map", abi::right::map},         {"send", abi::right::send},
    {"receive", abi::right::receive},     {"start", abi::right::start},       {"stop", abi::right::stop},       {"suspend", abi::right::suspend},
    {"resume", abi::right::resume},       {"acknowledge", abi::right::acknowledge}, {"bind", abi::right::bind}, {"charge", abi::right::charge},
    {"control", abi::right::control},
};

constexpr std::uint64_t max_memory_pages = std::uint64_t{1} << 36;
constexpr std::uint64_t max_kept_pages = (64 << 20) / abi::page_size;

// The words of one line.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) { skip(); }
    bool empty() const { return rest_.empty(); }
    std::string_view next() {
        const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
        rest_.remove_prefix(word.size());
        skip();
        return word;
    }
    std::string_view rest() const { return rest_; }

private:
    void skip() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }
    std::string_view rest_;
};

std::string_view trimmed(std::string_view line) {
    line = line.substr(0, line.find('#'));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
        line.remove_suffix(1);
    return line;
}

class Parser {
public:
    explicit Parser(ImageFile& file) : file_(file) {}

    // Null, or what is wrong with the line.
    const char* line(std::string_view text) {
        Words words(trimmed(text));
        if (words.empty())
            return nullptr;
        const std::string_view word = words.next();
        if (word == "program")
            return program(words);
        if (program_ == nullptr)
            return "a statement before the first program";
        const char* wrong = statement(word, words);
        if (wrong != nullptr)
            return wrong;
        return words.empty() || word == "argument" ? nullptr : "more words than the statement takes";
    }

    // What only shows at the end.
    const char* finish() {
        for (std::size_t endpoint = 0; endpoint < file_.endpoint_count; ++endpoint) {
            std::size_t served = 0;
            for (std::size_t i = 0; i < file_.program_count; ++i)
                for (std::size_t j = 0; j < file_.programs[i].grant_count; ++j) {
                    const GrantLine& grant = file_.programs[i].grants[j];
                    served += grant.kind == GrantLine::Kind::serve && grant.endpoint == endpoint;
                }
            if (served == 0)
                return "an endpoint is called that nobody serves";
            if (served > 1)
                return "an endpoint has two servers";
        }
        for (std::size_t i = 0; i < file_.program_count; ++i) {
            if (file_.programs[i].file.empty())
                return "a program has no file";
            if (file_.programs[i].memory.value == 0)
                return "a program has no memory";
        }
        return file_.program_count == 0 ? "no program" : nullptr;
    }

private:
    const char* program(Words& words) {
        const std::string_view name = words.next();
        if (name.empty() || !words.empty())
            return "expected: program NAME";
        for (std::size_t i = 0; i < file_.program_count; ++i)
            if (file_.programs[i].name == name)
                return "a second program of this name";
        if (file_.program_count == max_programs)
            return "too many programs";
        program_ = &file_.programs[file_.program_count++];
        *program_ = Program{};
        program_->name = name;
        return nullptr;
    }

    const char* statement(std::string_view word, Words& words) {
        if (word == "file") {
            program_->file = words.next();
            return program_->file.starts_with('/') ? nullptr : "expected: file /PATH";
        }
        if (word == "memory")
            return amount(words.next(), program_->memory) ? nullptr : "expected: memory PAGES, or a number with K, M, G or %";
        if (word == "budget")
            return budget(words);
        if (word == "quota")
            return rights(words.next(), program_->quota_rights);
        if (word == "budget_rights")
            return rights(words.next(), program_->budget_rights);
        if (word == "restarts")
            return number(words.next(), 1000, program_->restarts);
        if (word == "argument") {
            if (program_->argument_count == max_arguments || words.empty())
                return "too many arguments, or an empty one";
            program_->arguments[program_->argument_count++] = words.rest();
            return nullptr;
        }
        if (word == "kernel" || word == "ports" || word == "serve" || word == "call" || word == "keep")
            return grant(word, words);
        return "an unknown statement";
    }

    // False where it is none.
    static bool amount(std::string_view text, Amount& result) {
        std::uint64_t factor = 1, divisor = 1;
        Amount amount;
        if (text.ends_with('%'))
            amount.unit = Amount::Unit::percent;
        else if (text.ends_with('K'))
            factor = 1024, divisor = abi::page_size;
        else if (text.ends_with('M'))
            factor = (1 << 20) / abi::page_size;
        else if (text.ends_with('G'))
            factor = (1 << 30) / abi::page_size;
        if (!text.empty() && (text.back() < '0' || text.back() > '9'))
            text.remove_suffix(1);
        auto value = base::parse_decimal(text);
        if (!value || *value == 0 || *value > max_memory_pages / factor || (amount.unit == Amount::Unit::percent && *value > 100))
            return false;
        amount.value = (*value * factor + divisor - 1) / divisor;
        result = amount;
        return true;
    }

    template <class T> const char* number(std::string_view text, std::uint64_t most, T& value) {
        auto parsed = text.starts_with("0x") ? base::parse_hexadecimal(text.substr(2)) : base::parse_decimal(text);
        if (!parsed || *parsed > most)
            return "a number is missing or out of its range";
        value = static_cast<T>(*parsed);
        return nullptr;
    }

    const char* budget(Words& words) {
        while (!words.empty()) {
            const std::string_view word = words.next();
            const char* wrong = "expected: budget weight=N priority=N";
            if (word.starts_with("weight="))
                wrong = number(word.substr(7), 10'000, program_->weight);
            else if (word.starts_with("priority="))
                wrong = number(word.substr(9), 31, program_->priority);
            if (wrong != nullptr)
                return wrong;
        }
        return program_->weight == 0 ? "a weight of 0" : nullptr;
    }

    const char* rights(std::string_view list, abi::Rights& result) {
        result = 0;
        while (!list.empty()) {
            const std::string_view name = list.substr(0, list.find(','));
            list.remove_prefix(std::min(name.size() + 1, list.size()));
            abi::Rights right = 0;
            for (const RightName& known : right_names)
                if (known.name == name)
                    right = known.right;
            if (right == 0)
                return "an unknown right";
            result |= right;
        }
        return result == 0 ? "rights are missing" : nullptr;
    }

    const char* grant(std::string_view word, Words& words) {
        if (program_->grant_count == max_grants)
            return "too many capabilities for one program";
        GrantLine grant{};
        const char* wrong = nullptr;
        if (word == "kernel") {
            grant.kind = GrantLine::Kind::kernel;
            grant.source = grant.name = words.next();
            wrong = rights(words.next(), grant.rights);
        } else if (word == "ports") {
            grant.kind = GrantLine::Kind::ports;
            wrong = number(words.next(), 0xffff, grant.first_port);
            if (wrong == nullptr)
                wrong = number(words.next(), 0x10000 - grant.first_port, grant.port_count);
            if (wrong == nullptr && grant.port_count == 0)
                wrong = "a range of no ports";
        } else if (word == "keep") {
            grant.kind = GrantLine::Kind::keep;
            grant.name = words.next();
            Amount size;
            if (!amount(words.next(), size) || size.unit != Amount::Unit::pages || size.value > max_kept_pages)
                wrong = "expected: keep NAME PAGES, or a number with K, M or G, of at most 64 MiB";
            else if (file_.kept_count == max_kept)
                wrong = "too much is kept";
            grant.pages = size.value;
            grant.kept = file_.kept_count;
        } else {
            grant.kind = word == "serve" ? GrantLine::Kind::serve : GrantLine::Kind::call;
            grant.name = words.next();
            wrong = endpoint(grant.name, grant.endpoint);
        }
        while (wrong == nullptr && !words.empty())
            wrong = option(words, grant);
        if (wrong != nullptr)
            return wrong;
        if (grant.name.empty() || grant.name.size() >= abi::start_name_bytes)
            return "a capability has no name, or one of more than 31 bytes";
        for (std::size_t i = 0; i < program_->grant_count; ++i)
            if (program_->grants[i].name == grant.name)
                return "a second capability of this name";
        file_.kept_count += grant.kind == GrantLine::Kind::keep;
        program_->grants[program_->grant_count++] = grant;
        return nullptr;
    }

    const char* option(Words& words, GrantLine& grant) {
        const std::string_view word = words.next();
        if (word == "as") {
            grant.name = words.next();
            return nullptr;
        }
        if (grant.kind == GrantLine::Kind::call && word == "share") {
            grant.share = true;
            return nullptr;
        }
        if (grant.kind == GrantLine::Kind::call && word.starts_with("badge="))
            return number(word.substr(6), UINT64_MAX, grant.badge);
        return "an unknown word in a capability's line";
    }

    const char* endpoint(std::string_view name, std::size_t& index) {
        if (name.empty())
            return "an endpoint has no name";
        for (index = 0; index < file_.endpoint_count; ++index)
            if (file_.endpoints[index] == name)
                return nullptr;
        if (index == max_endpoints)
            return "too many endpoints";
        file_.endpoints[file_.endpoint_count++] = name;
        return nullptr;
    }

    ImageFile& file_;
    Program* program_ = nullptr;
};

} // namespace

bool parse(std::string_view text, ImageFile& file, ParseError& error) {
    file.program_count = file.endpoint_count = file.kept_count = 0;
    Parser parser(file);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (const char* reason = parser.line(line); reason != nullptr) {
            error = {number, reason};
            return false;
        }
    }
    if (const char* reason = parser.finish(); reason != nullptr) {
        error = {0, reason};
        return false;
    }
    return true;
}

} // namespace init
