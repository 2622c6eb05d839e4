"""What a new contributor does first: the book builds, its links lead somewhere and the files that it cites are there, a new server builds and its test fails."""

import glob
import os
import re
import shutil
import subprocess

from xt import docs, paths, shell


def _book(context):
    docs.run(_Arguments())
    site = os.path.join(paths.BUILD, "docs", "site")
    for page in ("index.html", "book/boot.html", "reference/kernel.html", "reference/linux-calls.html", "reference/docker-paths.html", "reference/container-settings.html"):
        assert os.path.getsize(os.path.join(site, page)) > 1000, page


class _Arguments:
    pages_only = False


def _dead_link(context):
    """The book with a link to a page that is not there does not build."""
    folder = docs.gather()
    with open(os.path.join(folder, "pages", "index.md"), "a", encoding="utf-8") as file:
        file.write("\n[nowhere](book/nowhere.md)\n")
    try:
        docs.make_site(folder)
    except shell.Failure:
        return
    raise AssertionError("a dead link was not noticed")


# A file or folder of the tree between backquotes; what the reader is led to make is not there yet.
CITED = re.compile(r"`((?:abi|bench|boot|docs|drivers|images|kernel|lib|linux|servers|services|tests|tools)/[\w./-]*)`")
TO_BE_MADE = ("abi/greet.abi", "servers/greet/", "servers/greet/greet.cpp")


def _citations(context):
    pages = ["README.md", "CONTRIBUTING.md"] + glob.glob("docs/**/*.md", root_dir=paths.TOP, recursive=True)
    missing, count = [], 0
    for page in pages:
        with open(os.path.join(paths.TOP, page), encoding="utf-8") as file:
            cited = [name for name in CITED.findall(file.read()) if name not in TO_BE_MADE]
        count += len(cited)
        missing += [f"{page}: {name}" for name in cited if not os.path.exists(os.path.join(paths.TOP, name))]
    assert count > 50, f"only {count} citations were found: does the search still fit the pages?"
    assert not missing, "\n".join(missing)


def _new_server(context):
    """In a copy of the tree: nothing is left behind in this one."""
    copy = os.path.join(paths.BUILD, "test-tree")
    shutil.rmtree(copy, ignore_errors=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=paths.TOP, check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, files):
        source, target = os.path.join(paths.TOP, name), os.path.join(copy, name)
        if os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)
    try:
        command = [os.path.join(copy, "xt"), "new-server", "greet"]
        subprocess.run(command, check=True, capture_output=True)
        assert subprocess.run(command, capture_output=True).returncode != 0, "a second server of the same name was made"
        context.execute(["cmake", "--preset", "host", "-S", copy, "-B", os.path.join(copy, "build/host"), "-DTHEMELIOS_FOLDERS=abi;lib;servers"], "new-server")
        context.execute(["cmake", "--build", os.path.join(copy, "build/host"), "--target", "greet_test"], "new-server")
        tested = subprocess.run(["ctest", "--test-dir", os.path.join(copy, "build/host"), "-R", "^greet_test$", "--no-tests=error"], capture_output=True, text=True)
        assert tested.returncode != 0 and "greet_test" in tested.stdout, tested.stdout[-1000:]
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def cases(context):
    yield "book", lambda: _book(context)
    yield "book with a dead link", lambda: _dead_link(context)
    yield "book cites what is there", lambda: _citations(context)
    yield "new-server", lambda: _new_server(context)
