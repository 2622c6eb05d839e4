// How a native call's registers become the typed arguments of its handler.
#pragma once
#include <cstdint>
#include <tuple>
#include <utility>

#include "kernel/arch/x86_64/registers.hpp"
#include "kernel/call/lookup.hpp"
#include "kernel/call/user_pointer.hpp"
#include "kernel/memory/halves.hpp"

namespace kernel {

// The argument registers of one call, taken in order.
class ArgumentReader {
public:
    explicit ArgumentReader(const arch::Registers& registers)
        : values_{registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9} {}
    std::uint64_t next() { return values_[used_++]; }

private:
    std::uint64_t values_[6];
    unsigned used_ = 0;
};

// One kind of argument each: what it reads, what it checks, what the handler gets.
namespace argument {

struct Word {
    using Value = std::uint64_t;
    static base::Result<Value> read(Thread&, ArgumentReader& reader) { return reader.next(); }
};

struct Word32 {
    using Value = std::uint32_t;
    static base::Result<Value> read(Thread&, ArgumentReader& reader) {
        const std::uint64_t value = reader.next();
        if (value > UINT32_MAX) return std::unexpected(abi::Error::bad_argument);
        return static_cast<std::uint32_t>(value);
    }
};

template <class T, abi::Rights rights>
struct Handle {
    using Value = Held<T>;
    static base::Result<Value> read(Thread& caller, ArgumentReader& reader) { return lookup<T>(caller, reader.next(), rights); }
};

template <class T, abi::Rights rights>
struct OptionalHandle {
    using Value = Held<T>;
    static base::Result<Value> read(Thread& caller, ArgumentReader& reader) { return lookup_optional<T>(caller, reader.next(), rights); }
};

template <abi::Rights rights>
struct AnyHandle {
    using Value = Held<Object>;
    static base::Result<Value> read(Thread& caller, ArgumentReader& reader) { return lookup_any(caller, reader.next(), rights); }
};

template <class T>
struct Pointer {
    using Value = UserPointer<T>;
    static base::Result<Value> read(Thread&, ArgumentReader& reader) {
        const std::uint64_t address = reader.next();
        if (!personality_half().contains(address, sizeof(T))) return std::unexpected(abi::Error::bad_pointer);
        return UserPointer<T>(address);
    }
};

struct Bytes {
    using Value = UserBytes;
    static base::Result<Value> read(Thread&, ArgumentReader& reader) {
        const std::uint64_t address = reader.next();
        const std::uint64_t length = reader.next();
        if (!personality_half().contains(address, length)) return std::unexpected(abi::Error::bad_pointer);
        return UserBytes{address, length};
    }
};

} // namespace argument

// Decodes one argument after the other, and calls the handler when all are good.
template <auto handler>
base::Result<std::uint64_t> decode_and_call(Thread& caller, ArgumentReader&, auto&&... decoded) {
    return handler(caller, std::move(decoded)...);
}

template <auto handler, class First, class... Rest>
base::Result<std::uint64_t> decode_and_call(Thread& caller, ArgumentReader& reader, auto&&... decoded) {
    auto value = TRY(First::read(caller, reader));
    return decode_and_call<handler, Rest...>(caller, reader, std::forward<decltype(decoded)>(decoded)..., std::move(value));
}

template <auto handler, class... Arguments>
base::Result<std::uint64_t> invoke(Thread& caller, const arch::Registers& registers) {
    ArgumentReader reader(registers);
    return decode_and_call<handler, Arguments...>(caller, reader);
}

using CallEntry = base::Result<std::uint64_t> (*)(Thread& caller, const arch::Registers& registers);

} // namespace kernel
