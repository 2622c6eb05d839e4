/*
 * Processors that wake tasks of another one: nothing that was written before a wake-up stays unseen by a task that sleeps.
 *
 * What each step stands for:
 *   post                Mailbox::post (kernel/core/mailbox.hpp): an exchange of the node's mark, then a compare-and-exchange of the first one, each of which is one step
 *   take                Mailbox::take
 *   waker               sched::wake of a task whose home is elsewhere (kernel/thread/scheduler.cpp): post, then an interrupt
 *   home                sched::on_reschedule, which takes so many of them as STEP and has itself interrupted again for the rest; then Task::must_be_woken
 *   thread              looks at what was written for it, and sleeps where it saw all: sched::block. Any processor may have taken it over
 * All that is written for a task and the mark of its node are in the order of exchanges of that mark, so interleaving is all there is.
 *
 * Errors: MARK_AFTER_LOOK, POST_IN_TWO_ACCESSES, INTERRUPT_BEFORE_POST, UNREAD_IS_DROPPED, REST_IS_NOT_TAKEN, WAKE_IS_LOST.
 */
#define TASKS 2
#define STEP 1
#define NOBODY 255

byte first = NOBODY, unread = NOBODY;
byte next[TASKS];
bool posted[TASKS];
bool interrupted;
byte written[TASKS], seen[TASKS];
bool asleep[TASKS], wake_pending[TASKS];

proctype waker(byte wakes) {
    byte task, before;
    bool was;
    do
    :: wakes > 0 ->
        wakes--;
        select(task : 0 .. TASKS - 1);
        written[task]++;
#ifdef INTERRUPT_BEFORE_POST
        interrupted = true;
#endif
        atomic { was = posted[task]; posted[task] = true }
        if
        :: was
        :: else ->
            before = first;
            do
            :: next[task] = before;
#ifdef POST_IN_TWO_ACCESSES
               first = task; break
#else
               atomic { if :: first == before -> first = task; break :: else -> before = first fi }
#endif
            od
        fi;
#ifndef INTERRUPT_BEFORE_POST
        interrupted = true
#else
        skip
#endif
    :: else -> break
    od
}

inline must_be_woken(task) {
    atomic { if
    :: asleep[task] -> asleep[task] = false
    :: else ->
#ifndef WAKE_IS_LOST
        wake_pending[task] = true
#else
        skip
#endif
    fi }
}

active [TASKS] proctype thread() {
    do
    :: seen[_pid] < written[_pid] -> seen[_pid] = written[_pid]
    :: else ->
        atomic { if :: wake_pending[_pid] -> wake_pending[_pid] = false :: else -> asleep[_pid] = true fi }
end_asleep:
        !asleep[_pid]
    od
}

active proctype home() {
    byte task, count;
end:
    do
    :: interrupted ->
        interrupted = false;
        count = 0;
        do
        :: count < STEP ->
            count++;
            if
            :: unread == NOBODY -> atomic { unread = first; first = NOBODY }
            :: else
            fi;
            if
            :: unread == NOBODY -> break
            :: else
            fi;
            task = unread;
#ifdef UNREAD_IS_DROPPED
            unread = NOBODY;
#else
            unread = next[task];
#endif
#ifdef MARK_AFTER_LOOK
            must_be_woken(task);
            posted[task] = false
#else
            posted[task] = false;
            must_be_woken(task)
#endif
        :: else ->
#ifndef REST_IS_NOT_TAKEN
            if :: unread != NOBODY || first != NOBODY -> interrupted = true :: else fi;
#endif
            break
        od
    od
}

init {
    byte i;
    atomic { run waker(2); run waker(1) }
    timeout;
    for (i : 0 .. TASKS - 1) { assert(seen[i] == written[i]) }
}
