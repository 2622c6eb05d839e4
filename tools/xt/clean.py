"""Removes what was built. A running node is not touched, so it is refused while one runs."""

import os
import shutil

from . import node, paths
from .shell import Failure


def add(parser):
    parser.add_argument("--all", action="store_true", help="downloaded tools and images too")


def run(arguments):
    if node.load() is not None:
        raise Failure("a node runs; ./xt stop ends it")
    if not os.path.isdir(paths.BUILD):
        return
    kept = () if arguments.all else ("tools", "images")
    for name in os.listdir(paths.BUILD):
        path = os.path.join(paths.BUILD, name)
        if name in kept:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
