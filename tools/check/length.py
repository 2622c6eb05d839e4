"""No file is longer than people can find their way in."""

import os
import subprocess

LIMIT = 800
SOURCES = (".c", ".cc", ".cpp", ".h", ".hpp", ".S", ".py", ".sh", ".abi", ".cmake")


def violations(top, limit=LIMIT):
    listing = subprocess.run(["git", "-C", top, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    for name in listing.splitlines():
        path = os.path.join(top, name)
        if name.endswith(SOURCES) and os.path.exists(path):
            with open(path, "rb") as file:
                lines = sum(1 for _ in file)
            if lines > limit:
                yield f"{name}: {lines} lines, the limit is {limit}"
