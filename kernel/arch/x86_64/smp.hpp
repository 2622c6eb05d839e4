// Bringing up the processors.
#pragma once

namespace kernel::arch {

// The CPU that the loader started: tables, registers, GS. Before anything that uses this_cpu(). `tags_roots`: PCID is used where the processors have it.
void initialize_first_cpu(bool tags_roots);
// Starts all others that ACPI lists; returns when each is online or was given up (which is logged). Heap, clock and interrupt controllers are ready.
void start_other_cpus();

} // namespace kernel::arch
