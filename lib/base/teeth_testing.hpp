// Host tests with teeth: an attack that must fail, and in the twin, without the one protection that it is about, must not.
#pragma once
#include "lib/base/weaken.hpp"

#include <gtest/gtest.h>

namespace base {

// `holds` attacks, and says whether the attack failed. It must not crash in the twin: what an unbounded loop would be is to be cut off by the test's device.
template <class Holds> void expect_teeth([[maybe_unused]] Weakness weakness, Holds&& holds) {
    EXPECT_TRUE(holds()) << "the attack succeeds";
#ifdef THEMELIOS_TWIN
    chosen_weakness = weakness;
    EXPECT_FALSE(holds()) << "the attack fails without " << weakness_name(weakness) << ": it tests nothing";
    chosen_weakness = Weakness::none;
#endif
}

// What a test's device throws when it was asked more often than a bounded program asks.
struct Endless {};

// Whether `run` ends by itself.
template <class Run> bool ends(Run&& run) {
    try {
        run();
        return true;
    } catch (const Endless&) {
        return false;
    }
}

} // namespace base
