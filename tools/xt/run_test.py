import socket
import unittest

from xt import run
from xt.shell import Failure
from xt.suites import free_ports


class Ports(unittest.TestCase):
    def test_one_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with self.assertRaisesRegex(Failure, f"port {port} "):
                run._look_for_ports(port, [])
            with self.assertRaisesRegex(Failure, f"port {port} "):
                run._look_for_ports(free_ports(1)[0], [port])
        run._look_for_ports(port, [])

    def test_none_leads_to_two_places(self):
        for api, publish in ((2375, [8080, 2375]), (2375, [8080, 8080])):
            with self.assertRaisesRegex(Failure, "one place"):
                run._look_for_ports(api, publish)


if __name__ == "__main__":
    unittest.main()
