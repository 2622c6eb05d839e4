/*
 * Two processors unmap a page each, flush everywhere and free the frame, while all three load roots and use both pages: nobody uses a page whose frame is free.
 *
 * What each step stands for:
 *   change_root   load_roots_of without tags (kernel/core/tlb_state.hpp): the word that says what is entered, an exchange; the register, which flushes this processor; the word that says
 *                 what is settled, which comes to be seen before the next exchange at the latest
 *   serve         arch::serve_shootdowns (kernel/arch/x86_64/interrupts.cpp), as an interrupt or from arch::relax
 *   unmap         the store to the table, then tlb::forget (kernel/memory/tlb.cpp): count_change with its locked addition and its look at both words of each other processor, the flush of
 *                 this one, the requests and the wait; then the release of the frame (TableBatch::finish, kernel/space/table_batch.cpp)
 *   speculate     a processor may fill its TLB from the tables whenever the register has the user's root
 * The store to a table stays in its processor's store buffer until a fence, a locked instruction, or any time before; others do not see it there. Its own walks of the table do, for the
 * write of the register that flushes is serialising, but the model does not count on that to show the store to the others.
 *
 * Errors: NO_FENCE, ENTERED_AFTER_REGISTER, SETTLED_BEFORE_REGISTER, SETTLED_IS_READ_FIRST, COUNT_AFTER_FLUSH, SPIN_DOES_NOT_SERVE, NOT_AWAITED, OWN_TLB_IS_KEPT.
 */
#define CPUS 3
#define PAGES 2 /* processor i unmaps page i */
#define STEPS 3 /* of each processor: to load a root, to use a page, to unmap */

bool user_entered[CPUS];  /* Cpu::entered_roots is a user's */
bool user_settled[CPUS];  /* so is Cpu::settled_roots */
bool user_loaded[CPUS];   /* so is the register */
bool held[CPUS * PAGES];  /* by the TLB */
bool gone[PAGES];         /* the entry is empty, for all to see */
bool buffered[PAGES];     /* emptied, not yet for all to see */
bool freed[PAGES];
byte requested[CPUS];
byte served[CPUS];

#define own_held(page) held[me * PAGES + page]

inline flush() { atomic { own_held(0) = false; own_held(1) = false } }

inline drain(page) { atomic { if :: buffered[page] -> buffered[page] = false; gone[page] = true :: else fi } }

inline speculate() {
    if
    :: atomic { user_loaded[me] && !gone[0] -> own_held(0) = true }
    :: atomic { user_loaded[me] && !gone[1] -> own_held(1) = true }
    :: skip
    fi
}

inline serve() {
#ifndef COUNT_AFTER_FLUSH
    seen = requested[me];
    flush();
    speculate();
#else
    flush();
    speculate();
    seen = requested[me];
#endif
    served[me] = seen;
    seen = 0
}

inline enter(user) {
    atomic { user_entered[me] = user; if :: me < PAGES -> drain(me) :: else fi }
}

inline change_root(user) {
#ifndef ENTERED_AFTER_REGISTER
    enter(user);
#endif
#ifdef SETTLED_BEFORE_REGISTER
    user_settled[me] = user;
#endif
    atomic { check(0); check(1); flush(); user_loaded[me] = user }
    speculate();
#ifdef ENTERED_AFTER_REGISTER
    enter(user);
#endif
#ifndef SETTLED_BEFORE_REGISTER
    user_settled[me] = user
#endif
}

inline check(page) { assert(!(own_held(page) && freed[page])) }

inline use(page) {
    atomic {
        if :: !gone[page] -> own_held(page) = true :: else fi;
        check(page)
    }
}

inline look(other) {
#ifndef SETTLED_IS_READ_FIRST
    if
    :: user_entered[other] -> tickets[other] = 1
    :: else -> if :: user_settled[other] -> tickets[other] = 1 :: else fi
    fi
#else
    if
    :: user_settled[other] -> tickets[other] = 1
    :: else -> if :: user_entered[other] -> tickets[other] = 1 :: else fi
    fi
#endif
}

inline request(other) {
    if
    :: tickets[other] != 0 -> atomic { requested[other]++; tickets[other] = requested[other]; drain(me) }
    :: else
    fi
}

inline await(other) {
    do
    :: served[other] >= tickets[other] -> break
#ifndef SPIN_DOES_NOT_SERVE
    :: served[other] < tickets[other] && requested[me] != served[me] -> serve()
#endif
    od
}

inline unmap() {
    buffered[me] = true;
#ifndef NO_FENCE
    drain(me);
#endif
    look((me + 1) % CPUS);
    look((me + 2) % CPUS);
#ifndef OWN_TLB_IS_KEPT
    flush();
#endif
    request((me + 1) % CPUS);
    request((me + 2) % CPUS);
#ifndef NOT_AWAITED
    await((me + 1) % CPUS);
    await((me + 2) % CPUS);
#endif
    atomic { freed[me] = true; tickets[0] = 0; tickets[1] = 0; tickets[2] = 0 }
}

proctype cpu(byte me) {
    byte steps, seen;
    byte tickets[CPUS];
end:
    do
    :: requested[me] != served[me] -> serve()
    :: steps < STEPS && !user_loaded[me] -> steps++; change_root(true)
    :: steps < STEPS && user_loaded[me] -> steps++; change_root(false)
    :: steps < STEPS && user_loaded[me] -> steps++; use(0)
    :: steps < STEPS && user_loaded[me] -> steps++; use(1)
    :: steps < STEPS && me < PAGES && !freed[me] -> steps++; unmap()
    od
}

active proctype store_buffers() {
end:
    do
    :: atomic { buffered[0] -> drain(0) }
    :: atomic { buffered[1] -> drain(1) }
    od
}

init {
    atomic { run cpu(0); run cpu(1); run cpu(2) }
}
