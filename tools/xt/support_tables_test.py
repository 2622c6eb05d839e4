"""The support tables: what they read, and that a row they cannot read is an error."""

import unittest

from xt import support_tables


class LinuxCalls(unittest.TestCase):
    def test_rows_come_by_number(self):
        rows = support_tables.linux_calls(["// text\nFULL(2, open)\nMISSING(1, b)\nREFUSED(3, mount)\n", 'PARTIAL(0, c, "no d")\n'])
        self.assertEqual(rows, [(0, "c", "in part", "no d"), (1, "b", "no", ""), (2, "open", "yes", ""), (3, "mount", "refused", "")])

    def test_refuses_what_it_cannot_read(self):
        for text in ("FULL(2 open)", "FULL(1, a)\nFULL(1, b)", "PARTIAL(1, a)", "NEW(1, a)"):
            with self.assertRaises(ValueError, msg=text):
                support_tables.linux_calls([text])


class DockerPaths(unittest.TestCase):
    def test_routes(self):
        text = ' Route{"GET", "images", "json", true, answer},\n Route{"POST", "images", "push", true, nullptr, "pushing"},\n Absent{"swarm", "swarm mode"},'
        routes, absent = support_tables.docker_paths(text)
        self.assertEqual(routes, [("GET", "/images/{name}/json", ""), ("POST", "/images/{name}/push", "pushing")])
        self.assertEqual(absent, [("swarm", "swarm mode")])

    def test_refuses_what_it_cannot_read(self):
        with self.assertRaises(ValueError):
            support_tables.docker_paths(' Route{"GET", "images", other_form, answer},')


class ContainerSettings(unittest.TestCase):
    def test_rows_come_in_order(self):
        rows = support_tables.container_settings('// text\nHONOURED("B")\n\nREFUSED("A.*.[].C")\nNO_EFFECT("A.D")\n')
        self.assertEqual(rows, [("B", "read"), ("A.*.[].C", "400"), ("A.D", "no effect, with a warning")])

    def test_refuses_what_it_cannot_read(self):
        for text in ('HONOURED(B)', 'OTHER("B")', 'REFUSED("A")\nHONOURED("A")', 'REFUSED("A") // why'):
            with self.assertRaises(ValueError, msg=text):
                support_tables.container_settings(text)


if __name__ == "__main__":
    unittest.main()
