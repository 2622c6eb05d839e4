// A page of the node that a kernel object keeps is a page of the quota that pays for the object, whatever became of the objects beside it.
#include <algorithm>

#include "kernel/tests/native/leftovers.hpp"
#include "lib/native/thread.hpp"

using namespace kernel_test;
using native::Owned;
namespace call = native::call;

namespace {

constexpr std::size_t most = 16'000;
abi::Handle handles[most];

std::uint64_t used(abi::Handle payer) {
    abi::QuotaInfo info{};
    CHECK(call::quota_inspect(payer, info));
    return info.used_pages;
}

// Objects of the kernel's small sizes, which differ by kind.
constexpr unsigned kinds = 9;
base::Result<abi::Handle> make(unsigned kind, abi::Handle payer) {
    switch (kind) {
    case 0: return call::notification_create(payer);
    case 1: return call::budget_create(payer, budget(), abi::BudgetParameters{1024, 0, 0, 0, 0});
    case 2: return call::lease_create(payer, 0);
    case 3: return call::port_create(payer);
    case 4: return call::quota_create(payer, 1);
    case 5: return call::memory_create(payer, abi::page_size, 0);
    case 6: return call::endpoint_create(payer);
    case 7: return call::io_space_create(native::granted("io_space"), payer);
    default: return call::space_create(payer, 0);
    }
}

// The test's own table has pages for all handles, and keeps them.
void make_slots(abi::Handle any) {
    std::size_t count = 0;
    while (count < most && (handles[count] = call::handle_duplicate(any, 0, 0, 0).value_or(0))) ++count;
    CHECK(count == most);
    while (count > 0) CHECK(call::handle_close(handles[--count]));
}

} // namespace

// Who keeps one object of each page pays for the pages.
KERNEL_USER_TEST(a_quota_takes_no_more_than_it_is_charged) {
    constexpr std::uint64_t limit = 400, of_others = 8; // pages that come and go beside
    const Owned payer(call::quota_create(quota(), limit).value_or(0));
    REQUIRE(payer);
    make_slots(payer.get());
    const auto before = settled();
    const auto taken = [&] { return before.free_pages - std::min(before.free_pages, figures().free_pages); };
    std::size_t kept = 0;
    for (unsigned kind = 0; kind < kinds; ++kind) {
        // As many as the quota pays for, in its last quarter once the ones before have theirs.
        const std::uint64_t used_before = used(payer.get()), share = used_before + (limit - used_before) / 4;
        std::size_t end = kept;
        while (end < most && used(payer.get()) < share) {
            const auto made = make(kind, payer.get());
            if (!made) break;
            handles[end++] = *made;
        }
        CHECK(end > kept);
        const std::uint64_t full = used(payer.get());
        CHECK(full <= limit && taken() <= full + of_others);
        // So few that each page of objects up to 512 bytes keeps one.
        constexpr std::size_t of_page = abi::page_size / 512 - 1;
        const std::size_t begin = kept;
        for (std::size_t i = begin; i < end; ++i) {
            if ((i - begin) % of_page == 0)
                handles[kept++] = handles[i];
            else
                CHECK(call::handle_close(handles[i]));
        }
        const std::uint64_t charged = used(payer.get());
        if (taken() > charged + of_others) native::print("kind ", kind, ": ", charged, " pages are charged, and ", taken(), " taken");
        CHECK(comes_true([&] { return taken() <= charged + of_others; }, 20));
    }
    while (kept > 0) CHECK(call::handle_close(handles[--kept]));
    CHECK(used(payer.get()) == 0);
}

// Those are charged already, but what was destroyed pays for nothing new.
KERNEL_USER_TEST(a_destroyed_quota_gives_no_room_that_it_has) {
    const Owned outer(call::quota_create(quota(), 64).value_or(0)), inner(call::quota_create(outer.get(), 64).value_or(0));
    REQUIRE(outer && inner);
    const Owned one(call::notification_create(inner.get()).value_or(0));
    REQUIRE(one);
    CHECK(call::quota_destroy(outer.get()));
    CHECK_ERROR(call::notification_create(inner.get()), no_memory);
    CHECK(used(inner.get()) == 1);
}

// No handle names the quota any more, nor the one above it; its pages keep both.
KERNEL_USER_TEST(a_quota_stays_as_long_as_a_page_of_its_objects) {
    make_slots(quota());
    const auto before = settled();
    Owned outer(call::quota_create(quota(), 64).value_or(0)), inner(call::quota_create(outer.get(), 64).value_or(0));
    REQUIRE(outer && inner);
    constexpr std::size_t count = 40;
    for (std::size_t i = 0; i < count; ++i) handles[i] = make(i % 4, inner.get()).value_or(0);
    const std::uint64_t charged = used(inner.get());
    CHECK(charged != 0 && used(outer.get()) == charged + 1);
    inner.reset();
    CHECK(used(outer.get()) == charged + 1);
    outer.reset();
    CHECK(figures().used_pages > before.used_pages + charged);
    for (std::size_t i = 0; i < count; ++i) CHECK(call::handle_close(handles[i]));
    CHECK(comes_true([&] { return !is_more(figures(), before); }, 100));
}

// The last page of a quota is for one processor or the other, and a page that both leave goes back once.
KERNEL_USER_TEST(processors_share_the_pages_of_a_quota) {
    NEEDS_PROCESSORS(2);
    const Owned payer(call::quota_create(quota(), 3).value_or(0));
    REQUIRE(payer);
    struct Maker {
        abi::Handle payer = 0;
        std::uint64_t made = 0, refused = 0;
        static void run(void* argument) {
            auto& self = *static_cast<Maker*>(argument);
            abi::Handle own[24] = {};
            for (unsigned round = 0; round < 12'000; ++round) {
                abi::Handle& place = own[round * 7 % std::size(own)];
                if (place != 0) {
                    (void)call::handle_close(std::exchange(place, 0));
                    continue;
                }
                place = make(round / 16 % 4, self.payer).value_or(0);
                ++(place != 0 ? self.made : self.refused);
            }
            for (const abi::Handle each : own)
                if (each != 0) (void)call::handle_close(each);
        }
    } makers[2] = {{payer.get()}, {payer.get()}};
    native::Thread* threads[2];
    for (int i = 0; i < 2; ++i) threads[i] = native::Thread::create(Maker::run, &makers[i]).value_or(nullptr);
    REQUIRE(threads[0] && threads[1]);
    for (native::Thread* thread : threads) thread->join();
    for (const Maker& maker : makers) CHECK(maker.made != 0 && maker.refused != 0);
    CHECK(comes_true([&] { return used(payer.get()) == 0; }, 100));
}
