// Small objects live in spans of 64 KiB, one size class each; a span's header is found by masking the object's address. Larger allocations have a range of their
// own with the same header. Spans are anonymous memory: pages never touched cost nothing, and but for a few an empty span goes back to the kernel.
#include "lib/native/heap.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "lib/base/list.hpp"
#include "lib/native/heap_classes.hpp"
#include "lib/native/kernel.hpp"
#include "lib/native/memory.hpp"
#include "lib/native/mutex.hpp"
#include "lib/native/start.hpp"

namespace native::heap {

namespace {

constexpr std::uint64_t span_magic = 0x7370'616e'2d68'6561; // a pointer that is not the heap's is noticed
constexpr std::size_t large_class = SIZE_MAX;
constexpr std::size_t header_bytes = 128;

struct FreeObject {
    FreeObject* next;
};

struct Span : base::ListNode {
    std::uint64_t magic = span_magic;
    std::size_t size_class = 0;
    std::size_t length = 0; // of the range
    FreeObject* free = nullptr;
    std::uint32_t fresh = 0; // offset of the first object that was never used
    std::uint32_t live = 0;
};
static_assert(sizeof(Span) <= header_bytes);

// Objects of a class begin at a multiple of the largest power of two in its size (up to a page), which makes every alignment up to that natural.
constexpr std::uint32_t first_offset(std::size_t size) {
    const std::size_t natural = std::min<std::size_t>(size & ~(size - 1), 4096);
    return static_cast<std::uint32_t>((header_bytes + natural - 1) & ~(natural - 1));
}

// A class keeps the spans that have room in a list; full ones are in none.
struct Class {
    Mutex lock;
    Span* current = nullptr;
    base::List<Span>* with_room = nullptr;
    alignas(base::List<Span>) unsigned char list_storage[sizeof(base::List<Span>)] = {};

    base::List<Span>& list() {
        // The list head points at itself, so it cannot be a constant; it is made under the lock at first use.
        if (with_room == nullptr)
            with_room = new (list_storage) base::List<Span>();
        return *with_room;
    }
};

constinit Class classes[class_count];
constinit std::atomic<std::uint64_t> span_bytes{0};
constinit std::atomic<std::uint64_t> live_objects{0};

// Spans that came back, for the next that wants one: to map, fault in, clear and unmap 64 KiB costs as much as to copy them several times. Their frames stay charged, so they are
// few and short, and go where no other span can be mapped.
class Kept {
public:
    static constexpr std::size_t longest = range_unit + 4096; // 64 KiB and the header

    Span* take(std::size_t length) {
        LockGuard guard(lock_);
        for (Span*& place : spans_)
            if (place != nullptr && place->length >= length)
                return std::exchange(place, nullptr);
        return nullptr;
    }
    // Returns the one that has to go for it, or null.
    Span* put(Span& span) {
        LockGuard guard(lock_);
        for (Span*& place : spans_)
            if (place == nullptr) {
                place = &span;
                return nullptr;
            }
        return std::exchange(spans_[turn_++ % std::size(spans_)], &span);
    }

private:
    Mutex lock_;
    Span* spans_[4] = {};
    unsigned turn_ = 0;
};
constinit Kept kept;

void unmap(Span& span) {
    const auto address = reinterpret_cast<std::uint64_t>(&span);
    const std::size_t length = span.length;
    span_bytes.fetch_sub(length, std::memory_order_relaxed);
    if (call::space_unmap(self().space, address, length))
        release_range(address, length);
}

void* map(std::size_t length) {
    auto address = reserve_range(length);
    if (!address)
        return nullptr;
    const auto flags = abi::protection::read | abi::protection::write;
    if (!call::space_map(self().space, abi::no_handle, *address, 0, length, flags)) {
        release_range(*address, length);
        return nullptr;
    }
    span_bytes.fetch_add(length, std::memory_order_relaxed);
    return reinterpret_cast<void*>(*address);
}

Span* make_span(std::size_t length, std::size_t size_class) {
    void* place = nullptr;
    if (Span* span = length <= Kept::longest ? kept.take(length) : nullptr) {
        length = span->length;
        place = span;
    } else {
        place = map(length);
        while (place == nullptr) {
            Span* spare = kept.take(0);
            if (spare == nullptr)
                return nullptr;
            unmap(*spare);
            place = map(length);
        }
    }
    auto* span = new (place) Span();
    span->size_class = size_class;
    span->length = length;
    return span;
}

void drop_span(Span& span) {
    span.magic = 0; // nothing in it can be released a second time
    Span* gone = span.length <= Kept::longest ? kept.put(span) : &span;
    if (gone != nullptr)
        unmap(*gone);
}

Span* span_of(const void* pointer) {
    auto* span = reinterpret_cast<Span*>(reinterpret_cast<std::uint64_t>(pointer) & ~(range_unit - 1));
    if (span->magic != span_magic) [[unlikely]]
        panic("a pointer that is not the heap's was released");
    return span;
}

bool has_room(const Span& span, std::size_t size) { return span.free != nullptr || span.fresh + size <= range_unit; }

void* take(Span& span, std::size_t size) {
    ++span.live;
    if (span.free != nullptr) {
        FreeObject* object = span.free;
        span.free = object->next;
        return object;
    }
    void* object = reinterpret_cast<std::byte*>(&span) + span.fresh;
    span.fresh += static_cast<std::uint32_t>(size);
    return object;
}

void* allocate_small(std::size_t index) {
    const std::size_t size = class_size(index);
    Class& own = classes[index];
    LockGuard guard(own.lock);
    if (own.current == nullptr || !has_room(*own.current, size)) {
        Span* next = own.list().pop_front();
        if (next == nullptr) {
            next = make_span(range_unit, index);
            if (next == nullptr)
                return nullptr;
            next->fresh = first_offset(size);
        }
        own.current = next;
    }
    return take(*own.current, size);
}

void release_small(Span& span, void* pointer) {
    Class& own = classes[span.size_class];
    Span* empty = nullptr;
    {
        LockGuard guard(own.lock);
        auto* object = static_cast<FreeObject*>(pointer);
        object->next = span.free;
        span.free = object;
        --span.live;
        if (&span == own.current)
            return;
        if (!span.linked())
            own.list().push_back(span);
        // The current span stays though it be empty, so a single object that comes and goes makes no kernel calls.
        if (span.live == 0) {
            own.list().remove(span);
            empty = &span;
        }
    }
    if (empty != nullptr)
        drop_span(*empty);
}

void* allocate_large(std::size_t size, std::size_t alignment) {
    const std::size_t offset = std::max(header_bytes, alignment);
    if (size > SIZE_MAX / 2)
        return nullptr;
    Span* span = make_span(page_round(size + offset), large_class);
    return span == nullptr ? nullptr : reinterpret_cast<std::byte*>(span) + offset;
}

} // namespace

void* allocate(std::size_t size, std::size_t alignment) {
    size = std::max<std::size_t>(size, 1);
    if (alignment > fine_step)
        size = (size + alignment - 1) & ~(alignment - 1);
    void* result = nullptr;
    if (alignment > range_unit / 2)
        return nullptr;
    if (size <= largest_class) {
        std::size_t index = class_of(size);
        // Rounding up to a class may lose the alignment: 192 bytes at 64 are well, 160 are not.
        while (index < class_count && alignment > fine_step && first_offset(class_size(index)) % alignment + class_size(index) % alignment != 0)
            ++index;
        if (index < class_count)
            result = allocate_small(index);
        else
            result = allocate_large(size, alignment);
    } else {
        result = allocate_large(size, alignment);
    }
    if (result != nullptr)
        live_objects.fetch_add(1, std::memory_order_relaxed);
    return result;
}

void release(void* pointer) {
    if (pointer == nullptr)
        return;
    live_objects.fetch_sub(1, std::memory_order_relaxed);
    Span* span = span_of(pointer);
    if (span->size_class == large_class)
        drop_span(*span);
    else
        release_small(*span, pointer);
}

std::size_t capacity(const void* pointer) {
    const Span* span = span_of(pointer);
    if (span->size_class != large_class)
        return class_size(span->size_class);
    return span->length - (reinterpret_cast<std::uint64_t>(pointer) - reinterpret_cast<std::uint64_t>(span));
}

Figures figures() { return {span_bytes.load(std::memory_order_relaxed), live_objects.load(std::memory_order_relaxed)}; }

} // namespace native::heap

namespace {
void* or_panic(void* pointer) {
    if (pointer == nullptr)
        native::panic("out of memory");
    return pointer;
}
} // namespace

// Freestanding libc++ declares these and leaves them to the program.
void* operator new(std::size_t size) { return or_panic(native::heap::allocate(size)); }
void* operator new[](std::size_t size) { return or_panic(native::heap::allocate(size)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return or_panic(native::heap::allocate(size, static_cast<std::size_t>(alignment))); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return or_panic(native::heap::allocate(size, static_cast<std::size_t>(alignment))); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return native::heap::allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return native::heap::allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return native::heap::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return native::heap::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* pointer) noexcept { native::heap::release(pointer); }
void operator delete[](void* pointer) noexcept { native::heap::release(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { native::heap::release(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { native::heap::release(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { native::heap::release(pointer); }
void operator delete[](void* pointer, std::align_val_t) noexcept { native::heap::release(pointer); }
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept { native::heap::release(pointer); }
void operator delete[](void* pointer, std::size_t, std::align_val_t) noexcept { native::heap::release(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { native::heap::release(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { native::heap::release(pointer); }
const std::nothrow_t std::nothrow{};

extern "C" {
void* malloc(std::size_t size) { return native::heap::allocate(size); }
void free(void* pointer) { native::heap::release(pointer); }
}
