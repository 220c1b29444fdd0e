"""Debian in a folder, and commands in it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from image_check.host import Host, debian_mirror
from image_check.report import CheckError, say

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def shell_mounts(root: Path, mounts: list[tuple[Path, str, bool]]) -> Iterator[str]:
    """Shell lines that mount what a chroot needs; they run in a mount namespace of their own."""
    yield "mount --make-rprivate /"
    yield f"mount --rbind /dev {root}/dev"
    yield f"mount -t proc proc {root}/proc"
    for source, target, writable in mounts:
        place = f"{root}{target}"
        make = f"mkdir -p {place}" if source.is_dir() else f"mkdir -p {Path(place).parent} && touch {place}"
        yield make
        yield f"mount --bind {shlex.quote(str(source))} {place}"
        if not writable:
            yield f"mount -o remount,bind,ro {place}"


def run_in_chroot(root: Path, script: str, environment: dict[str, str], folder: str, host: Host) -> None:
    """Runs one RUN line as root. Raises CheckError when it fails."""
    variables = " ".join(
        shlex.quote(f"{key}={value}") for key, value in {**host.environment, **environment}.items()
    )
    inner = f"cd {shlex.quote(folder)} && {script}"
    lines = [
        "set -eu",
        *shell_mounts(root, host.mounts),
        f"cp /etc/resolv.conf {root}/etc/resolv.conf",
        f"exec env -i HOME=/root PATH={DEFAULT_PATH} {variables} "
        f"chroot {root} /bin/sh -c {shlex.quote(inner)}",
    ]
    status = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(lines)], check=False
    ).returncode
    if status != 0:
        raise CheckError(f"step ended with status {status}: {script}")


def make_base(folder: Path, image: str) -> Path:
    """A Debian as debootstrap makes it, in place of the image debian:12-slim. Kept for later runs."""
    if not image.startswith(("debian:12", "debian:bookworm")):
        raise CheckError(f"base image {image}: only debian:12 can be replayed without an engine")
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        mirror = debian_mirror()
        say(f"debootstrap from {mirror}")
        subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", str(folder), mirror],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (folder / ".complete").touch()
    return folder
