/*
 * Two processors unmap a page each, flush everywhere and free the frame, while all three load roots and use both pages: nobody uses a page whose frame is free.
 *
 * What each step stands for:
 *   change_root   arch::change_root (kernel/arch/x86_64/cpu.cpp): the note of the root, then the register, which flushes this processor
 *   serve         arch::serve_shootdowns (kernel/arch/x86_64/interrupts.cpp), as an interrupt or from arch::relax
 *   unmap         the store to the table, then tlb::flush_everywhere (kernel/memory/tlb.cpp): flush_local, and shoot_down with its fence, its look at the roots, its requests and its wait;
 *                 then the release of the frame (TableBatch::finish, kernel/space/table_batch.cpp)
 *   speculate     a processor may fill its TLB from the tables whenever the register has the user's root
 * The store to a table stays in its processor's store buffer until a fence, a locked instruction, or any time before; others do not see it there. Its own walks of the table do, for the
 * write of the register that flushes is serialising, but the model does not count on that to show the store to the others.
 *
 * Errors: NO_FENCE, ROOT_AFTER_REGISTER, COUNT_AFTER_FLUSH, SPIN_DOES_NOT_SERVE, NOT_AWAITED, OWN_TLB_IS_KEPT.
 */
#define CPUS 3
#define PAGES 2 /* processor i unmaps page i */
#define STEPS 3 /* of each processor: to load a root, to use a page, to unmap */

bool user_noted[CPUS];    /* Cpu::loaded_root is a user's */
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

inline note(user) {
    atomic { user_noted[me] = user; if :: me < PAGES -> drain(me) :: else fi }
}

inline change_root(user) {
#ifndef ROOT_AFTER_REGISTER
    note(user);
#endif
    atomic { flush(); user_loaded[me] = user }
    speculate();
#ifdef ROOT_AFTER_REGISTER
    note(user);
#endif
}

inline use(page) {
    atomic {
        if :: !gone[page] -> own_held(page) = true :: else fi;
        assert(!(own_held(page) && freed[page]))
    }
}

inline request(other) {
    if
    :: user_noted[other] -> atomic { requested[other]++; tickets[other] = requested[other]; drain(me) }
    :: else -> tickets[other] = 0
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
#ifndef OWN_TLB_IS_KEPT
    flush();
#endif
#ifndef NO_FENCE
    drain(me);
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
