import contextlib
import http.server
import io
import json
import os
import tempfile
import threading
import unittest
from unittest import mock

from audit_log import logfile, testing
from xt import main

BATCHES = testing.batches_of(5, 300)
# What a node with this log answers: path → (headers, body).
NODE = {"/themelios/node": ({}, b'{"monotonic_nanoseconds": 5000000000}')}


class Node:
    """Answers as a node's API does, on a port of its own."""

    def __init__(self, answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                headers, body = answers.get(self.path, (None, None))
                self.send_response(404 if body is None else 200)
                for name, value in ({"Content-Length": str(len(body or b""))} | (headers or {})).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass
        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self._server.server_port

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answers(body=b"".join(BATCHES), head=str(testing.head(BATCHES)), **headers):
    return {**NODE, "/themelios/audit": ({"Themelios-Audit-Head": head} | headers, body)}


class Audit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "log")

    def xt(self, *words, node=None):
        """Exit code, output, complaints."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(output))
            stack.enter_context(contextlib.redirect_stderr(errors))
            stack.enter_context(mock.patch("signal.signal"))
            if node is not None:
                stack.enter_context(mock.patch("xt.node.need_running", return_value={"api": stack.enter_context(Node(node))}))
            try:
                code = main.main(["audit", *words])
            except SystemExit as end:
                code = end.code
        return code, output.getvalue(), errors.getvalue()

    def save(self, data):
        with open(self.path, "wb") as file:
            file.write(data)

    def test_exports_what_verifies(self):
        code, output, _ = self.xt("export", self.path, node=answers())
        self.assertEqual((code, output), (0, f"{self.path}: holds: 300 records in {len(BATCHES)} batches\nhead {testing.head(BATCHES)}\n"))
        with open(self.path, "rb") as file:
            log = logfile.parse(file.read())
        self.assertEqual((log.head, log.batches, log.clock.monotonic), (testing.head(BATCHES), b"".join(BATCHES), 5_000_000_000))
        code, output, _ = self.xt("verify", self.path)
        self.assertEqual(code, 0)
        self.assertIn("by the file's own head alone", output)
        self.assertEqual(self.xt("verify", self.path, "--head", str(testing.head(BATCHES[:2])))[0], 0)

    def test_a_node_without_batches(self):
        self.assertEqual(self.xt("export", self.path, node=answers(b"", str(logfile.NO_HEAD)))[0], 0)
        self.assertEqual(self.xt("show", self.path)[:2], (0, ""))

    def test_a_node_that_does_not_tell_its_clock(self):
        for told in (b"[]", b"{}", b"no", b'{"monotonic_nanoseconds": "x"}', b'{"monotonic_nanoseconds": -1}', b'{"monotonic_nanoseconds": true}'):
            self.assertEqual(self.xt("export", self.path, node={**answers(), "/themelios/node": ({}, told)})[0], 0)
            with open(self.path, "rb") as file:
                self.assertIsNone(logfile.parse(file.read()).clock)

    def test_what_a_node_gives_that_does_not_hold_is_kept_and_told(self):
        code, output, _ = self.xt("export", self.path, node=answers(b"".join(BATCHES[:-1])))
        self.assertEqual(code, 1)
        self.assertIn("does NOT hold: the log ends at batch", output)
        self.assertTrue(os.path.exists(self.path))

    def test_replies_that_are_none(self):
        for node, pattern in ((NODE, "gave 404"), (answers(head="nonsense"), "no Themelios-Audit-Head that can be read"), (answers(**{"Content-Length": "9999999"}), "gives a whole answer")):
            code, _, errors = self.xt("export", self.path, node=node)
            self.assertEqual(code, 1)
            self.assertIn(pattern, errors)
            self.assertFalse(os.path.exists(self.path))

    def test_a_folder_that_is_not_there(self):
        code, _, errors = self.xt("export", self.path + "/none/log", node=answers())
        self.assertEqual((code, errors), (1, f"xt: {self.path}/none/log: No such file or directory\n"))

    def test_verify_tells_the_first_defect(self):
        changed = bytearray(testing.file(BATCHES))
        changed[128 - 4096 + 64 + 24] ^= 1
        self.save(changed)
        code, output, _ = self.xt("verify", self.path, "--json")
        told = json.loads(output)
        self.assertEqual((code, told["holds"], told["defect"]["kind"], told["defect"]["batch"], told["batches_that_hold"]), (1, False, "changed", len(BATCHES), len(BATCHES) - 1))
        self.assertEqual(told["defect"]["record"], 2)

    def test_verify_as_json(self):
        self.save(testing.file(BATCHES[1:]))
        code, output, _ = self.xt("verify", self.path, "--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(output), {
            "holds": True, "defect": None, "batches": len(BATCHES) - 1, "batches_that_hold": len(BATCHES) - 1, "records_that_hold": 300 - testing.layout.header(BATCHES[0]).count,
            "first": 2, "last": len(BATCHES), "boot": "1122334455667788", "head": str(testing.head(BATCHES))})
        self.assertIn("it begins at batch 2: what was before is not kept", self.xt("verify", self.path)[1])

    def test_verify_of_other_files(self):
        self.save(b"something")
        self.assertEqual(self.xt("verify", self.path)[0], 1)
        code, _, errors = self.xt("verify", self.path + "x")
        self.assertEqual((code, errors), (1, f"xt: {self.path}x: No such file or directory\n"))
        self.assertEqual(self.xt("verify", self.path, "--head", "5")[0], 2)
        self.assertEqual(self.xt("verify", self.path, "--unknown")[0], 2)
        self.assertEqual(self.xt()[0], 2)

    def test_shows_a_line_a_record(self):
        self.save(testing.file(BATCHES))
        code, output, errors = self.xt("show", self.path)
        lines = output.splitlines()
        self.assertEqual((code, len(lines), errors), (0, 300, ""))
        self.assertRegex(lines[0], r"^2023-11-14 22:13:15\.000000Z  kernel +booted; random bytes [0-9a-f]{64}$")
        self.assertEqual(len(self.xt("show", node=answers())[1].splitlines()), 300)

    def test_shows_as_json(self):
        self.save(testing.file(BATCHES))
        shown = json.loads(self.xt("show", self.path, "--json")[1])
        self.assertTrue(shown["log"]["holds"])
        self.assertEqual(len(shown["records"]), 300)
        self.assertEqual((shown["records"][0]["batch"], shown["records"][0]["record"], shown["records"][0]["operation"]), (1, 1, "boot"))

    def test_shows_what_does_not_hold_with_a_warning(self):
        self.save(testing.file(BATCHES[:1] + BATCHES[2:]))
        code, output, errors = self.xt("show", self.path)
        self.assertEqual(code, 1)
        self.assertIn("does NOT hold: batch 2 was removed", errors)
        self.assertTrue(output)


if __name__ == "__main__":
    unittest.main()
