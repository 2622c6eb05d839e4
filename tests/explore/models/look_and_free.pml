/*
 * Two processors find an Endpoint in a slot without a lock and without a reference, while a third one empties the slot, frees the Endpoint, and puts another object into the
 * slot: whoever goes on with what it found has found the Endpoint, and that is not freed under it.
 *
 * What each step stands for:
 *   reader    Endpoint::call_directly (kernel/ipc/endpoint_direct.cpp): the first look, what lies in the slot, looked_at (an exchange, so nothing behind it is early), the second look,
 *             the use of the Endpoint, and the end of that
 *   closer    SlotTable::take (kernel/core/slot_table.hpp), the last reference's release (an atomic operation, so nothing behind it is early), Endpoint::~Endpoint with
 *             arch::wait_until_left, SlotTable::insert
 * Stores of a processor are seen in their order; that they may be seen late is no more than that the next step comes late.
 *
 * Errors: NO_SECOND_LOOK, LOOKED_AT_IS_BUFFERED, NOBODY_WAITS, WAITS_BEFORE_THE_SLOT_IS_EMPTY, ENTRY_IS_EMPTIED_FIRST, HANDLE_BEFORE_ENTRY.
 */
#define NOTHING 0
#define ENDPOINT 1
#define OTHER 2
#define READERS 2

byte handle = ENDPOINT; /* of what it names; NOTHING: the slot is empty */
byte entry = ENDPOINT;
byte looked_at[READERS];
bool freed;

active [READERS] proctype reader() {
    byte named, found, rounds;
    do
    :: rounds < 2 ->
        rounds++;
        named = handle;
        if
        :: named != NOTHING ->
            found = entry;
#ifndef LOOKED_AT_IS_BUFFERED
            looked_at[_pid] = found;
#endif
            if
#ifndef NO_SECOND_LOOK
            :: handle == named ->
#else
            :: true ->
#endif
#ifdef LOOKED_AT_IS_BUFFERED
                looked_at[_pid] = found;
#endif
                assert(found == named);
                assert(found != ENDPOINT || !freed);
                assert(found != ENDPOINT || !freed)
            :: else
            fi;
            looked_at[_pid] = NOTHING
        :: else
        fi
    :: else -> break
    od
}

inline wait_until_left() {
    looked_at[0] != ENDPOINT;
    looked_at[1] != ENDPOINT;
}

active proctype closer() {
#ifdef WAITS_BEFORE_THE_SLOT_IS_EMPTY
    wait_until_left();
#endif
#ifndef ENTRY_IS_EMPTIED_FIRST
    handle = NOTHING;
    entry = NOTHING;
#else
    entry = NOTHING;
    handle = NOTHING;
#endif
#if !defined(NOBODY_WAITS) && !defined(WAITS_BEFORE_THE_SLOT_IS_EMPTY)
    wait_until_left();
#endif
    freed = true;
#ifndef HANDLE_BEFORE_ENTRY
    entry = OTHER;
    handle = OTHER
#else
    handle = OTHER;
    entry = OTHER
#endif
}
