"""Builds the book, with the reference pages that the interface generator makes, into build/docs/site."""

import os
import shutil
import sys

from . import paths
from .shell import need
from .shell import run as execute

SITE = """site_name: ThemeliOS
docs_dir: pages
site_dir: site
use_directory_urls: false
theme:
  name: mkdocs
  highlightjs: false
"""


def add(parser):
    parser.add_argument("--pages-only", action="store_true", help="gather the pages without making the site")


def gather():
    """docs/ and the generated reference in one folder; returns it."""
    folder = os.path.join(paths.BUILD, "docs")
    shutil.rmtree(folder, ignore_errors=True)
    pages = os.path.join(folder, "pages")
    shutil.copytree(os.path.join(paths.TOP, "docs"), pages)
    for name in ("README.md", "CONTRIBUTING.md"):
        source = os.path.join(paths.TOP, name)
        if os.path.exists(source):
            shutil.copyfile(source, os.path.join(pages, "index.md" if name == "README.md" else "contributing.md"))
    interfaces = sorted(name for name in os.listdir(os.path.join(paths.TOP, "abi")) if name.endswith(".abi"))
    execute([sys.executable, "-B", os.path.join(paths.TOP, "tools", "abi", "generate.py"), "--out", os.path.join(folder, "generated"),
             *(os.path.join(paths.TOP, "abi", name) for name in interfaces)])
    shutil.copytree(os.path.join(folder, "generated", "docs", "reference"), os.path.join(pages, "reference"))
    return folder


def run(arguments):
    folder = gather()
    if arguments.pages_only:
        print(os.path.relpath(os.path.join(folder, "pages"), paths.TOP))
        return
    need("mkdocs")
    with open(os.path.join(folder, "mkdocs.yml"), "w", encoding="utf-8") as file:
        file.write(SITE)
    execute(["mkdocs", "build", "-q", "-f", os.path.join(folder, "mkdocs.yml")], cwd=folder)
    print(os.path.relpath(os.path.join(folder, "site", "index.html"), paths.TOP))
