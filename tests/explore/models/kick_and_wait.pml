/*
 * A thread that waits, a peer that answers, and kicks: no kick is lost, and none ends two waits.
 *
 * What each step stands for:
 *   announce            WaitState::announce (kernel/core/wait_state.hpp)
 *   claim, claim_wait   WaitState::claim(), claim(wait): what a compare-and-exchange decides is one step
 *   finish_wait         WaitState::complete, two stores, then sched::wake: Task::must_be_woken, under the run queue's lock
 *   thread              Thread::wait, sched::wait_until, sched::block: Task::fall_asleep, under the same lock (without it: wake_by_mail.pml)
 *   kicker              Thread::kick (kernel/thread/thread.cpp)
 * All accesses to the wait and the attention are sequentially consistent there, or made by the thread alone, so interleaving is all there is.
 *
 * Three waits, two kicks of which the second comes when the first was used up, and one answer: each wait ends by one of them. A wait that nothing ends is an invalid end state.
 * Errors: LATCH_AFTER_LOOK, NO_LOOK_AT_THE_LATCH, CLAIM_OF_ANY_WAIT, LATCH_IS_KEPT, WAKE_IS_LOST.
 */
#define WAITS 3
#define KICKS 2
#define ANSWERED 1
#define CANCELED 2

mtype = { idle, waiting, claimed };
mtype phase = idle;
byte number;             /* of the wait: with the phase it is state_ */
byte outcome;
bool latch;              /* attention_kick */
bool asleep;             /* Task::State::blocked */
bool wake_pending;
byte canceled, answered; /* waits that ended so */

inline claim(done) {
    atomic { if :: phase == waiting -> phase = claimed; done = true :: else -> done = false fi }
}

inline claim_wait(seen_phase, seen_number, done) {
    atomic {
        if
        :: seen_phase == waiting && phase == waiting && number == seen_number -> phase = claimed; done = true
        :: else -> done = false
        fi
    }
}

inline finish_wait(how) {
    outcome = how;
    phase = idle;
    atomic {
        if
        :: asleep -> asleep = false
        :: else ->
#ifndef WAKE_IS_LOST
            wake_pending = true
#else
            skip
#endif
        fi
    }
}

active proctype thread() {
    bool done;
    do
    :: number < WAITS ->
        atomic { phase = waiting; number++ }
        if
        :: latch -> claim(done); if :: done -> finish_wait(CANCELED) :: else fi
        :: else
        fi;
        do
        :: phase == idle -> break
        :: else ->
            atomic { if :: wake_pending -> wake_pending = false :: else -> asleep = true fi }
            !asleep
        od;
        if
        :: outcome == CANCELED ->
#ifndef LATCH_IS_KEPT
            latch = false;
#endif
            canceled++
        :: else -> answered++
        fi
    :: else -> break
    od;
    assert(canceled == KICKS && answered == 1 && !latch)
}

active proctype peer() {
    bool done;
    do
    :: phase == waiting -> claim(done); if :: done -> finish_wait(ANSWERED); break :: else fi
    :: canceled + answered == WAITS -> break
    od
}

proctype kicker(byte used_up) {
    mtype seen_phase;
    byte seen_number;
    bool done;
    canceled >= used_up;
#ifndef LATCH_AFTER_LOOK
    latch = true;
#endif
    atomic { seen_phase = phase; seen_number = number }
#ifdef LATCH_AFTER_LOOK
    latch = true;
#endif
#ifndef NO_LOOK_AT_THE_LATCH
    if
    :: latch
    :: else -> goto gone
    fi;
#endif
#ifndef CLAIM_OF_ANY_WAIT
    claim_wait(seen_phase, seen_number, done);
#else
    claim(done);
#endif
    if :: done -> finish_wait(CANCELED) :: else fi;
gone:
    skip
}

init {
    atomic { run kicker(0); run kicker(1) }
}
