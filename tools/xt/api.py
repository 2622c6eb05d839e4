"""The few requests that xt itself sends to a node's API."""

import http.client
import json

from .shell import Failure


def get(port, path, timeout=5):
    """Status and body; None where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def ping(port):
    answer = get(port, "/_ping", timeout=3)
    return answer is not None and answer[0] == 200


def get_json(port, path):
    answer = get(port, path)
    if answer is None:
        raise Failure(f"no node answers on 127.0.0.1:{port}")
    status, body = answer
    if status != 200:
        raise Failure(f"GET {path} gave {status}: {body[:200].decode(errors='replace')}")
    try:
        return json.loads(body)
    except ValueError:
        raise Failure(f"GET {path} gave no JSON") from None
