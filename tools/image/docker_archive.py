"""Archives as `docker save` makes them and `docker load` takes them: one layer, its configuration, a manifest."""

import datetime
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _clean(member):
    """The same folder gives the same bytes: no times, no users of the build machine."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def layer_of(folder):
    """A layer's tar of everything in a folder; every owner is root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for directory, names, files in os.walk(folder):
            names.sort()
            for name in sorted(names + files):
                path = os.path.join(directory, name)
                if name in names and not os.path.islink(path):
                    tar.add(path, os.path.relpath(path, folder), recursive=False, filter=_clean)
                else:
                    tar.add(path, os.path.relpath(path, folder), filter=_clean)
    return buffer.getvalue()


def of_program(path, name, program):
    """The archive of an image with one static program, as /bin/NAME, and nothing else. Gives `path`."""
    with tempfile.TemporaryDirectory() as folder:
        for inner in ("bin", "tmp", "etc"):
            os.mkdir(os.path.join(folder, inner))
        shutil.copy(program, os.path.join(folder, "bin", name))
        write(path, name, layer_of(folder), ["/bin/" + name])
    return path


def write(path, name, layer, command, environment=(PATH,), created=0, **extra):
    """Writes the archive of image `name` (`:latest` where no tag is given) with one layer (tar bytes). `created`: in seconds since 1970."""
    time = datetime.datetime.fromtimestamp(created, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": time,
        "config": {"Env": list(environment), "Cmd": list(command), **extra},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created": time}],
    }, sort_keys=True).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    tag = name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [tag], "Layers": [digest + "/layer.tar"]}]).encode()
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    part = path + ".part"
    with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar:
        for member, content in (("manifest.json", manifest), (config_name, config), (digest + "/layer.tar", layer)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    os.replace(part, path)
