"""The few requests that xt itself sends to a node's API."""

import http.client
import json

from .shell import Failure


def get(port, path, timeout=5):
    """Status and body; None where nobody answers."""
    answer = request(port, path, timeout)
    return None if answer is None else (answer[0], answer[2])


def request(port, path, timeout=5, limit=None):
    """Status, headers and body; None where nobody answers. A body of more than `limit` bytes comes as its first limit + 1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if limit is None:
            return response.status, response.headers, response.read()
        body = response.read(limit + 1)
        # Read by a size, a body that ends early is not complained of.
        if len(body) <= limit and response.length:
            return None
        return response.status, response.headers, body
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def ping(port, timeout=3):
    answer = get(port, "/_ping", timeout)
    return answer is not None and answer[0] == 200


class Knocking:
    """Asks a node that boots whether its API answers.

    QEMU's user network takes a connection before the node listens and repeats the lost packet only seconds later. So it is better to give up
    soon and knock again; each wait is longer than the one before, for a machine that is busy.
    """

    def __init__(self, port):
        self._port = port
        self._patience = 0.1

    def answered(self):
        answered = ping(self._port, self._patience)
        self._patience = min(3, self._patience * 1.25)
        return answered


def get_json(port, path, timeout=5):
    answer = get(port, path, timeout)
    if answer is None:
        raise Failure(f"no node answers on 127.0.0.1:{port}")
    status, body = answer
    if status != 200:
        raise Failure(f"GET {path} gave {status}: {body[:200].decode(errors='replace')}")
    try:
        return json.loads(body)
    except ValueError:
        raise Failure(f"GET {path} gave no JSON") from None
