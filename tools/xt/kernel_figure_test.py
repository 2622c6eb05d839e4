"""The figure of the kernel's layers: what it draws, and that an arrow back up is an error."""

import os
import tempfile
import unittest

from xt import kernel_figure, paths


class Includes(unittest.TestCase):
    def test_counts_what_a_layer_uses(self):
        with tempfile.TemporaryDirectory() as top:
            for name, text in (("space/a.cpp", '#include "kernel/arch/x.hpp"\n#include "kernel/arch/y.hpp"\n#include "kernel/space/a.hpp"\n#include "abi/types.hpp"\n'),
                               ("space/a_test.cpp", '#include "kernel/thread/x.hpp"\n')):
                os.makedirs(os.path.dirname(os.path.join(top, "kernel", name)), exist_ok=True)
                with open(os.path.join(top, "kernel", name), "w", encoding="utf-8") as file:
                    file.write(text)
            self.assertEqual(kernel_figure.includes(top), {("space", "arch"): 2})


class Draw(unittest.TestCase):
    def test_has_each_layer_and_each_arrow(self):
        text = kernel_figure.draw({("call", "space"): 3, ("space", "arch"): 2})
        for layer in kernel_figure.LAYERS:
            self.assertIn(f">{layer}/<", text)
        self.assertEqual(text.count("<path d=\"M450"), 2)

    def test_refuses_an_arrow_back_up(self):
        with self.assertRaisesRegex(ValueError, "lies above"):
            kernel_figure.draw({("space", "call"): 1})

    def test_the_tree_can_be_drawn(self):
        self.assertIn("call includes thread", kernel_figure.draw(kernel_figure.includes(paths.TOP)))
