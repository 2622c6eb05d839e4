// Refusals of a sandbox on their way into the audit log: like ones are told together, and no more than so many records are made of them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "lib/base/rate_limit.hpp"

namespace kernel {

// Under the caller's lock. Times are nanoseconds of the monotonic clock.
class Denials {
public:
    struct Record {
        std::uint64_t process = 0; // 0: of several kinds, of any of the account's processes, told as one
        std::uint64_t count = 0;
        std::uint16_t call = 0;
        std::uint32_t error = 0;
    };
    // What one refusal, or one end, may bring at most.
    static constexpr std::size_t kinds = 8, most_records = kinds + 1;
    static constexpr std::uint64_t burst = 32, per_second = 4, interval = 1'000'000'000;

    // One more. Writes into `records` what is to be recorded now, and gives how many these are. Of each kind the first one is told at once and the next ones together, a second later at
    // the earliest, where there are more by then; or where another kind needs its place; or at the end.
    std::size_t add(std::uint64_t process, std::uint16_t call, std::uint32_t error, std::uint64_t now, std::span<Record, most_records> records) {
        std::size_t made = 0;
        Kind* kind = find(process, call, error);
        if (!kind) {
            kind = &first_due();
            if (kind->record.count != 0) tell(*kind, now, records, made);
            take_place(*kind, process, call, error);
            kind->next = now;
        }
        ++kind->record.count;
        if (now >= kind->next) tell(*kind, now, records, made);
        if (made != 0 && untold_ != 0 && limit_.take(now)) {
            records[made++] = {.count = untold_};
            untold_ = 0;
        }
        return made;
    }

    // One more, for which there is no room now: it is told with the next one.
    void put_off(std::uint64_t process, std::uint16_t call, std::uint32_t error) {
        Kind* kind = find(process, call, error);
        if (!kind) {
            kind = &first_due();
            take_place(*kind, process, call, error);
        }
        ++kind->record.count;
    }

    // All that was not told, whatever the limit: once.
    std::size_t finish(std::span<Record, most_records> records) {
        std::size_t made = 0;
        for (Kind& kind : kinds_) {
            if (kind.record.count != 0) records[made++] = kind.record;
            kind = {};
        }
        if (untold_ != 0) records[made++] = {.count = untold_};
        untold_ = 0;
        return made;
    }

private:
    struct Kind {
        Record record; // count: not told yet
        std::uint64_t next = 0; // not to be told before
    };

    Kind* find(std::uint64_t process, std::uint16_t call, std::uint32_t error) {
        Kind* const kind = std::find_if(kinds_, kinds_ + kinds, [&](const Kind& one) { return one.record.process == process && one.record.call == call && one.record.error == error; });
        return kind == kinds_ + kinds ? nullptr : kind;
    }
    Kind& first_due() {
        return *std::min_element(kinds_, kinds_ + kinds, [](const Kind& a, const Kind& b) { return a.next < b.next; });
    }
    void take_place(Kind& kind, std::uint64_t process, std::uint16_t call, std::uint32_t error) {
        untold_ += kind.record.count;
        kind = {.record = {.process = process, .call = call, .error = error}};
    }
    void tell(Kind& kind, std::uint64_t now, std::span<Record, most_records> records, std::size_t& made) {
        if (!limit_.take(now)) return;
        records[made++] = kind.record;
        kind.record.count = 0;
        kind.next = now + interval;
    }

    Kind kinds_[kinds];
    std::uint64_t untold_ = 0; // of kinds that lost their place
    base::RateLimit limit_{burst, per_second};
};

} // namespace kernel
