/*
 * A lease is revoked while a thread waits under it, another one looks up a capability under it, and a third one makes a lease below: when the revocation is back, none of them
 * goes on under the lease, and what does not lie under it is left alone.
 *
 * What each step stands for:
 *   thread    three waits: two by Thread::wait_under with the same hold, which stays linked between them, and one under no lease; wait_is_over behind each (kernel/thread/thread.cpp, thread.hpp)
 *   peer      the answer to the first and the last of them, which it finds in its queue, under the lock of that
 *   revoker   Lease::bump_all, then Lease::end_uses, where begin_end is Thread::WaitUse::begin_end, then wait_for_grace_period (kernel/object/lease.cpp)
 *   reader    a look-up on another processor: LeaseHold::valid, the use of the object, a return to user mode
 *   creator   Lease::create below the lease
 * `locked` is lease_tree_lock; what it alone guards is one step.
 *
 * Errors: HOLD_IS_NOT_LOOKED_AT_AGAIN, CLAIM_OF_ANY_WAIT, WAIT_UNDER_NOTHING_IS_ENDED, USES_BEFORE_BUMP, NO_GRACE_PERIOD, PARENT_IS_NOT_LOOKED_AT.
 */
#define ANSWERED 1
#define REVOKED 2

mtype = { idle, waiting, claimed };
mtype phase = idle;
byte number; /* of the wait */
byte outcome;
bool waits_under;

bool locked;
byte generation; /* that of the hold is 0 */
bool use_linked;
bool child_linked;
byte child_generation;

bool returned; /* the revocation is back */
bool in_use;
byte quiescent;
bool ended;    /* the thread has */

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

inline end_wait() {
    atomic { if :: phase == waiting -> phase = claimed; done = true :: else -> done = false fi }
    if :: done -> outcome = REVOKED; phase = idle :: else fi
}

inline announce() { atomic { phase = waiting; number++ } }

inline wait_under() {
    if
    :: !hold_kept ->
        lock();
        if
        :: generation == 0 -> use_linked = true; hold_kept = true
        :: else
        fi;
        unlock()
    :: else
    fi;
    if
    :: hold_kept ->
        waits_under = true;
#ifndef HOLD_IS_NOT_LOOKED_AT_AGAIN
        if :: generation != 0 -> end_wait() :: else fi
#endif
    :: else -> end_wait()
    fi
}

active proctype thread() {
    bool done, hold_kept;
    announce();
    wait_under();
    phase == idle;
    waits_under = false;
    announce();
    wait_under();
    phase == idle;
    waits_under = false;
    assert(outcome == REVOKED);
    announce();
    phase == idle;
    assert(outcome == ANSWERED);
    ended = true
}

active proctype peer() {
    do
    :: atomic { phase == waiting && number != 2 -> phase = claimed }
        outcome = ANSWERED;
        phase = idle
    :: ended -> break
    od
}

inline bump_all() {
    lock();
    generation++;
    unlock();
    lock();
    if :: child_linked -> child_generation++ :: else fi;
    unlock()
}

inline begin_end() {
    atomic { seen_phase = phase; seen_number = number }
#ifndef WAIT_UNDER_NOTHING_IS_ENDED
    under = waits_under;
#else
    under = true;
#endif
    atomic {
        done = false;
        if
#ifndef CLAIM_OF_ANY_WAIT
        :: under && seen_phase == waiting && phase == waiting && number == seen_number -> phase = claimed; done = true
#else
        :: under && phase == waiting -> phase = claimed; done = true
#endif
        :: else
        fi
    }
    if :: done -> outcome = REVOKED; phase = idle :: else fi
}

inline end_uses() {
    lock();
    if
    :: use_linked -> use_linked = false; begin_end()
    :: else
    fi;
    unlock()
}

active proctype revoker() {
    mtype seen_phase;
    byte seen_number, before;
    bool under, done;
#ifndef USES_BEFORE_BUMP
    bump_all();
    end_uses();
#else
    end_uses();
    bump_all();
#endif
#ifndef NO_GRACE_PERIOD
    before = quiescent;
    quiescent != before;
#endif
    assert(!in_use);
    assert(!child_linked || child_generation == 1);
    returned = true
}

active proctype reader() {
    do
    :: !returned ->
        if
        :: generation == 0 -> in_use = true; in_use = false
        :: else
        fi;
        quiescent = (quiescent + 1) % 3
    :: else -> break
    od
}

active proctype creator() {
    lock();
#ifndef PARENT_IS_NOT_LOOKED_AT
    if :: generation == 0 -> child_linked = true :: else fi;
#else
    child_linked = true;
#endif
    unlock()
}
