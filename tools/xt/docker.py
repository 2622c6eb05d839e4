"""Runs the stock Docker CLI against the node: ./xt docker ARGS."""

import os
import shutil
import subprocess

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


def run(arguments):
    # What the CLI tells of itself needs no node; nothing it does is to reach another one's.
    asks = arguments.words[:1] in ([], ["help"], ["-v"], ["--version"], ["--help"]) or arguments.words[-1] == "--help" and len(arguments.words) == 2
    state = node.load() if asks else node.need_running()
    command = words(state["api"], arguments.words) if state is not None else [program(), "-H", "unix:///dev/null", *arguments.words]
    os.execve(command[0], command, environment())
