// Clang's thread-safety annotations: which lock guards a field, and which locks a function takes, gives back or needs. Checked when the kernel is compiled; nothing of
// them is in the program. https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

// Of a lock's class, and of one whose objects hold a lock for their lifetime.
#define BASE_CAPABILITY(name) __attribute__((capability(name)))
#define BASE_SCOPED_CAPABILITY __attribute__((scoped_lockable))

// Of a field: read and written with the lock held.
#define BASE_GUARDED_BY(lock) __attribute__((guarded_by(lock)))

// Of a function: holds the locks at its begin and at its end; takes them; gives them back; takes them where it returns `result`. Without arguments: of its own object.
#define BASE_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define BASE_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define BASE_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define BASE_TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
// Of a function after which the lock counts as held, without being taken.
#define BASE_ASSERT_CAPABILITY(...) __attribute__((assert_capability(__VA_ARGS__)))

// Of a function whose locking the analysis cannot follow. A comment beside it says why.
#define BASE_NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))
