"""Builds the book, with the reference pages made from the interface files and the support tables and a figure of the kernel's layers, into build/docs/site.

A link to a page that is not there ends the build.
"""

import os
import re
import shutil
import sys

from . import kernel_figure, paths, support_tables
from .shell import need
from .shell import run as execute

SITE = """site_name: ThemeliOS
docs_dir: pages
site_dir: site
use_directory_urls: false
strict: true
theme:
  name: mkdocs
  highlightjs: false
"""


def add(parser):
    parser.add_argument("--pages-only", action="store_true", help="gather the pages without making the site")


def _as_page(text):
    """README.md and CONTRIBUTING.md as pages: links into docs/ lead to the book, links to other files of the tree become their names."""
    def link(found):
        name, target = found[1], found[2]
        if target.startswith("docs/"):
            return f"[{name}]({target[len('docs/'):]})"
        if target in _FRONT:
            return f"[{name}]({_FRONT[target]})"
        return found[0] if "://" in target else name
    return re.sub(r"\[([^\]]*)\]\(([^)]*)\)", link, text)


_FRONT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}


def gather():
    """docs/ and the generated reference in one folder; returns it."""
    folder = os.path.join(paths.BUILD, "docs")
    shutil.rmtree(folder, ignore_errors=True)
    pages = os.path.join(folder, "pages")
    shutil.copytree(os.path.join(paths.TOP, "docs"), pages)
    for name, page in _FRONT.items():
        with open(os.path.join(paths.TOP, name), encoding="utf-8") as source, open(os.path.join(pages, page), "w", encoding="utf-8") as file:
            file.write(_as_page(source.read()))
    interfaces = sorted(name for name in os.listdir(os.path.join(paths.TOP, "abi")) if name.endswith(".abi"))
    execute([sys.executable, "-B", os.path.join(paths.TOP, "tools", "abi", "generate.py"), "--out", os.path.join(folder, "generated"),
             *(os.path.join(paths.TOP, "abi", name) for name in interfaces)])
    shutil.copytree(os.path.join(folder, "generated", "docs", "reference"), os.path.join(pages, "reference"))
    support_tables.write(os.path.join(pages, "reference"))
    kernel_figure.write(paths.TOP, os.path.join(pages, "reference", "kernel-layers.svg"))
    return folder


def make_site(folder):
    """The site of the pages that gather() left in `folder`. A dead link is a Failure."""
    need("mkdocs")
    with open(os.path.join(folder, "mkdocs.yml"), "w", encoding="utf-8") as file:
        file.write(SITE)
    execute(["mkdocs", "build", "-q", "-f", os.path.join(folder, "mkdocs.yml")], cwd=folder)


def run(arguments):
    folder = gather()
    if arguments.pages_only:
        print(os.path.relpath(os.path.join(folder, "pages"), paths.TOP))
        return
    make_site(folder)
    print(os.path.relpath(os.path.join(folder, "site", "index.html"), paths.TOP))
