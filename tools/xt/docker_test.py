import unittest

from xt import docker


class Unforwarded(unittest.TestCase):
    def hidden(self, words, forwarded=(8080,)):
        note = docker.unforwarded(words.split(), list(forwarded))
        return note and note.partition("publishes ")[2].partition(", but ")[0]

    def test_what_is_forwarded_needs_no_word(self):
        for words in ("run -p 8080:80 busybox", "run busybox", "ps -p 9090:80", "run -d -p 127.0.0.1:8080:80/tcp x", "container run --publish=8080:80 x", "run -p", "run x mkdir -p some/folder", ""):
            self.assertIsNone(self.hidden(words), words)

    def test_what_is_not_is_named(self):
        for words, want in (("run -p 9090:80 x", "9090/tcp"), ("run -dp 9090:80 x", "9090/tcp"), ("create --publish 9090:80 x", "9090/tcp"), ("container create --publish=9090-9091:80-81 x", "9090/tcp, 9091/tcp"),
                            ("run -p 8080:80/udp x", "8080/udp"), ("run -p 80 x", "a port that it chooses"), ("run -P x", "a port that it chooses"), ("run -dP -p 8080:80 x", "a port that it chooses"),
                            ("run -p 1-9:1-9 x", "1/tcp, 2/tcp, 3/tcp, 4/tcp, 5/tcp, 6/tcp, 7/tcp, 8/tcp, more")):
            self.assertEqual(self.hidden(words), want, words)


if __name__ == "__main__":
    unittest.main()
