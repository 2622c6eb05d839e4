import os
import subprocess
import tempfile
import unittest

from check import dependencies, length


class Includes(unittest.TestCase):
    def refused(self, path, included):
        return dependencies.check_include(path, included) is not None

    def test_what_is_allowed(self):
        for path, included in (("kernel/call/x.cpp", "abi/types.hpp"), ("kernel/call/x.cpp", "lib/base/ref.hpp"), ("kernel/call/x.cpp", "kernel/core/log.hpp"),
                               ("servers/init/main.cpp", "lib/native/start.hpp"), ("linux/fs/path.cpp", "abi/ring.hpp"),
                               ("servers/init/main.cpp", "native/kernel_stubs.hpp"), ("tests/attacks/x.cpp", "kernel/core/slot_table.hpp"),
                               ("services/engine/x.cpp", "boost/beast.hpp"),
                               ("kernel/ipc/x.cpp", "kernel/thread/thread.hpp"), ("kernel/thread/x.cpp", "kernel/arch/cpu.hpp"), ("kernel/arch/x86_64/x.cpp", "kernel/arch/x86_64/y.hpp"),
                               ("kernel/tests/native/x.cpp", "lib/native/start.hpp"), ("servers/init/x_test.cpp", "tests/fakes/x.hpp")):
            self.assertFalse(self.refused(path, included), (path, included))

    def test_what_is_not(self):
        for path, included in (("kernel/call/x.cpp", "lib/native/start.hpp"), ("kernel/call/x.cpp", "servers/init/x.hpp"), ("servers/init/x.cpp", "kernel/core/log.hpp"),
                               ("kernel/thread/x.hpp", "kernel/ipc/reply.hpp"), ("kernel/arch/x86_64/x.cpp", "kernel/core/log.hpp"), ("kernel/core/x.hpp", "kernel/arch/x86_64/cpu.hpp"),
                               ("kernel/extra/x.cpp", "kernel/core/log.hpp"),
                               ("linux/fs/x.cpp", "servers/runtime/x.hpp"), ("services/engine/x.cpp", "linux/core/file.hpp"),
                               ("lib/base/x.hpp", "lib/native/start.hpp"), ("abi/x.hpp", "lib/base/result.hpp"), ("services/x.cpp", "native/kernel_stubs.hpp")):
            self.assertTrue(self.refused(path, included), (path, included))


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = folder.name
        subprocess.run(["git", "init", "-q", self.top], check=True)

    def write(self, name, text):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_violation_names_its_line(self):
        self.write("kernel/x.cpp", '#include <cstddef>\n#include "servers/init/a.hpp"\n')
        self.assertEqual([row.split(": ", 1)[0] for row in dependencies.violations(self.top)], ["kernel/x.cpp:2"])

    def test_long_files_are_found(self):
        self.write("kernel/long.cpp", "\n" * 801)
        self.write("kernel/right.cpp", "\n" * 800)
        self.assertEqual(list(length.violations(self.top)), ["kernel/long.cpp: 801 lines, the limit is 800"])


if __name__ == "__main__":
    unittest.main()
