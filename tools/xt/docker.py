"""Runs the stock Docker CLI against the node: ./xt docker ARGS."""

import os
import re
import shutil
import subprocess
import sys

from . import node, paths, setup


def add(parser):
    parser.add_argument("words", nargs="*", metavar="ARGS", help="what the Docker CLI takes")


def program():
    """The Docker CLI of this machine, or the one that setup put under build/tools."""
    found = shutil.which("docker") or (paths.TOOLS_CLI if os.path.exists(paths.TOOLS_CLI) else None)
    return found or setup.docker_cli()


def environment():
    """Without the user's own contexts and credentials."""
    folder = os.path.join(paths.BUILD, "docker-config")
    os.makedirs(folder, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    return {**kept, "DOCKER_CONFIG": folder}


def words(api_port, arguments):
    return [program(), "-H", f"tcp://127.0.0.1:{api_port}", *arguments]


def capture(api_port, arguments, **options):
    return subprocess.run(words(api_port, arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment(), **options)


def _published(arguments):
    """The (port of the node, protocol) that a `docker run` or `create` asks for; None as the port where the node is to choose one."""
    values = []
    for at, word in enumerate(arguments):
        if word == "--publish-all" or re.fullmatch(r"-[a-zA-Z]*P[a-zA-Z]*", word):
            yield None, "tcp"
        elif word.startswith("--publish="):
            values.append(word.partition("=")[2])
        elif word == "--publish" or re.fullmatch(r"-[a-zA-Z]*p", word):
            values += arguments[at + 1:at + 2]
    for value in values:
        fits = re.fullmatch(r"(?:(?:[0-9.]+:)?([0-9]+)(?:-([0-9]+))?:)?[0-9]+(?:-[0-9]+)?(?:/(tcp|udp|sctp))?", value)
        if fits is None:
            continue # the CLI's to refuse, or no option but a word of the program's
        first, last, protocol = fits.groups()
        yield from [(None, protocol or "tcp")] if first is None else [(port, protocol or "tcp") for port in range(int(first), int(last or first) + 1)]


def unforwarded(arguments, forwarded):
    """What to tell whoever publishes ports that do not appear on this machine; `forwarded`: those that do, all of TCP. None where there is nothing to tell."""
    if arguments[:1] not in (["run"], ["create"]) and arguments[:2] not in (["container", "run"], ["container", "create"]):
        return None
    hidden = [(port, protocol) for port, protocol in _published(arguments) if protocol != "tcp" or port not in forwarded]
    if not hidden:
        return None
    names = ["a port that it chooses" if port is None else f"{port}/{protocol}" for port, protocol in dict.fromkeys(hidden)]
    names = ", ".join(names[:8] + ["more"] * (len(names) > 8))
    return f"xt: the node publishes {names}, but this machine forwards only what ./xt run --publish names, by TCP ({', '.join(map(str, forwarded)) or 'nothing now'})"


def run(arguments):
    # What the CLI tells of itself needs no node; nothing it does is to reach another one's.
    asks = arguments.words[:1] in ([], ["help"], ["-v"], ["--version"], ["--help"]) or arguments.words[-1] == "--help" and len(arguments.words) == 2
    state = node.load() if asks else node.need_running()
    note = unforwarded(arguments.words, state["publish"]) if state is not None else None
    if note is not None:
        print(note, file=sys.stderr, flush=True)
    command = words(state["api"], arguments.words) if state is not None else [program(), "-H", "unix:///dev/null", *arguments.words]
    os.execve(command[0], command, environment())
