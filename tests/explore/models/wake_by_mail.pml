/*
 * Processors that wake tasks of another one: nothing that was written before a wake-up stays unseen by a task that sleeps.
 *
 * What each step stands for:
 *   needs_its_home      Task::needs_its_home (kernel/thread/task.hpp): the mark that a wake-up is pending, then a look whether the task sleeps
 *   post                Mailbox::post (kernel/core/mailbox.hpp): an exchange of the node's mark, then a compare-and-exchange of the first one, each of which is one step
 *   take                Mailbox::take
 *   waker               sched::wake of a task whose home is elsewhere (kernel/thread/scheduler.cpp): post, then an interrupt
 *   home                sched::on_reschedule, which takes so many of them as STEP and has itself interrupted again for the rest; then Task::must_be_woken
 *   thread              looks at what was written for it, and sleeps where it saw all: Task::fall_asleep, or the end of sched::end_hand_over. Any processor may have taken it over
 * All accesses to the two marks and to the state are sequentially consistent, or under the home queue's lock, so interleaving is all there is.
 *
 * Errors: MARK_AFTER_LOOK, POST_IN_TWO_ACCESSES, INTERRUPT_BEFORE_POST, UNREAD_IS_DROPPED, REST_IS_NOT_TAKEN, WAKE_IS_LOST, SLEEPER_IS_LOOKED_AT_FIRST, SLEEP_IS_TOLD_LATE.
 */
#define TASKS 2 /* as many as a waker chooses of */
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
    bool was, sleeps;
    do
    :: wakes > 0 ->
        atomic {
            wakes--;
            if :: task = 0 :: task = 1 fi;
            written[task]++
        }
#ifdef SLEEPER_IS_LOOKED_AT_FIRST
        sleeps = asleep[task];
        wake_pending[task] = true;
#else
#ifndef WAKE_IS_LOST
        wake_pending[task] = true;
#endif
        sleeps = asleep[task];
#endif
        if
        :: !sleeps -> goto done
        :: else
        fi;
#ifdef INTERRUPT_BEFORE_POST
        interrupted = true;
#endif
        atomic { was = posted[task]; posted[task] = true }
        if
        :: was
        :: else ->
            atomic { before = first; next[task] = before }
            do
#ifdef POST_IN_TWO_ACCESSES
            :: first = task; break
#else
            :: atomic { first == before -> first = task }; break
            :: atomic { first != before -> before = first; next[task] = before }
#endif
            od
        fi;
#ifndef INTERRUPT_BEFORE_POST
        interrupted = true;
#endif
done:
        skip
    :: else -> break
    od
}

inline must_be_woken(task) {
    atomic { if
    :: asleep[task] -> wake_pending[task] = false; asleep[task] = false
    :: else -> wake_pending[task] = true
    fi }
}

active [TASKS] proctype thread() {
    do
    :: seen[_pid] < written[_pid] -> seen[_pid] = written[_pid]
    :: else ->
#ifdef SLEEP_IS_TOLD_LATE
        if
        :: wake_pending[_pid] -> wake_pending[_pid] = false
        :: else -> asleep[_pid] = true
        fi;
#else
        asleep[_pid] = true;
        if
        :: atomic { wake_pending[_pid] -> wake_pending[_pid] = false; asleep[_pid] = false }
        :: else
        fi;
#endif
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
            atomic {
                count++;
                if
                :: unread == NOBODY -> unread = first; first = NOBODY
                :: else
                fi;
                task = unread;
                if
                :: task == NOBODY -> break
                :: else
                fi;
#ifdef UNREAD_IS_DROPPED
                unread = NOBODY
#else
                unread = next[task]
#endif
            }
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
