import os
import unittest

from xt import coverage, paths

FILE = os.path.join(paths.TOP, "kernel", "core", "example.hpp")
CODE, EXPANSION, BRANCH = 0, 1, 4


def _function(count, branches, regions=(), name="f", filenames=(FILE,)):
    body = [1, 1, 20, 2, count, 0, 0, CODE]
    return {"name": name, "count": count, "filenames": list(filenames), "regions": [body, *regions], "branches": branches}


def _report(*functions):
    summary = {"lines": {"covered": 3, "count": 4}}
    return coverage.Report({"data": [{"files": [{"filename": FILE, "summary": summary}], "functions": list(functions)}]})


class ReportTest(unittest.TestCase):
    def test_each_outcome_counts(self):
        report = _report(_function(5, [[2, 5, 2, 9, 5, 0, 0, 0, BRANCH], [3, 5, 3, 9, 2, 3, 0, 0, BRANCH]]))
        self.assertEqual(report.total(), [3, 4, 3, 4])
        self.assertIn("kernel/core/example.hpp:2:5: false\n", report.unreached())
        self.assertNotIn("example.hpp:3", report.unreached())

    def test_the_instances_of_a_template_are_one(self):
        report = _report(_function(5, [[2, 5, 2, 9, 5, 0, 0, 0, BRANCH]]), _function(1, [[2, 5, 2, 9, 0, 1, 0, 0, BRANCH]], name="g"))
        self.assertEqual(report.total()[2:], [2, 2])

    def test_a_known_condition_is_none(self):
        known = [2, 5, 2, 9, 0, 0, 0, 0, BRANCH]
        self.assertEqual(_report(_function(5, [known])).total()[2:], [0, 0])
        # Where nothing ran nobody can tell.
        self.assertEqual(_report(_function(0, [known])).total()[2:], [0, 2])

    def test_each_use_of_a_macro_counts(self):
        uses = [[line, 3, line, 9, 5, 0, file, EXPANSION] for line, file in ((4, 1), (6, 2))]
        inside = [[9, 1, 9, 30, 5, file, 0, CODE] for file in (1, 2)]
        branches = [[9, 2, 9, 4, 5, 0, 1, 0, BRANCH], [9, 2, 9, 4, 1, 4, 2, 0, BRANCH]]
        report = _report(_function(5, branches, [*uses, *inside], filenames=(FILE, "/else.hpp", "/else.hpp")))
        self.assertEqual(report.total()[2:], [3, 4])
        self.assertIn("example.hpp:4:3: false\n", report.unreached())

    def test_what_was_derived_below_zero_is_zero(self):
        self.assertEqual(_report(_function(5, [[2, 5, 2, 9, 6, (1 << 64) - 1, 0, 0, BRANCH]])).total()[2:], [1, 2])

    def test_what_another_program_took_is_added(self):
        report = _report(_function(5, [[2, 5, 2, 9, 5, 0, 0, 0, BRANCH], [3, 5, 3, 9, 2, 0, 0, 0, BRANCH]]))
        report.add_branches(_report(_function(1, [[2, 5, 2, 9, 0, 1, 0, 0, BRANCH], [7, 5, 7, 9, 1, 1, 0, 0, BRANCH]])))
        self.assertEqual(report.total(), [3, 4, 3, 4])

    def test_functions_that_never_ran_are_named(self):
        self.assertIn("kernel/core/example.hpp:1: f()\n", _report(_function(0, [], name="_Z1fv")).unreached())


if __name__ == "__main__":
    unittest.main()
