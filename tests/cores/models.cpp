#include "tests/cores/models.hpp"

#include "tests/cores/page_map_model.hpp"
#include "tests/cores/page_table_model.hpp"
#include "tests/cores/queue_models.hpp"
#include "tests/cores/slot_table_model.hpp"
#include "tests/cores/tree_models.hpp"

namespace cores {
namespace {

template <class OneModel> void run(std::span<const Command> commands) {
    OneModel model;
    for (const Command& command : commands) model.apply(command);
    model.finish();
}

} // namespace

const Model models[9] = {
    {"slot_table", run<SlotTableModel>}, {"lease", run<LeaseModel>},          {"quota", run<QuotaModel>},
    {"deadline", run<DeadlineModel>},    {"futex", run<FutexModel>},          {"page_map", run<PageMapModel>},
    {"page_table", run<PageTableModel>}, {"wait", run<WaitModel>},            {"clock", run<ClockModel>},
};

} // namespace cores
