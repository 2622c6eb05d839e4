"""Ends the node."""

from . import node


def add(parser):
    pass


def run(arguments):
    print("stopped" if node.stop() else "no node runs")
