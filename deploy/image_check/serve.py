"""Runs the image's server as a container engine would: unprivileged, read-only root, a network of its own."""

from __future__ import annotations

import shlex
import signal
import subprocess

from image_check.chroot import shell_mounts
from image_check.replay import Image
from image_check.report import CheckError

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 40


def user_ids(image: Image) -> tuple[int, int]:
    """uid and gid of the image's user. Raises CheckError for root."""
    entries = [line.split(":") for line in (image.root / "etc/passwd").read_text().splitlines()]
    for entry in entries:
        if image.user in (entry[0], entry[2]) and int(entry[2]) != 0:
            return int(entry[2]), int(entry[3])
    raise CheckError(f"the image runs as {image.user!r}; expected an unprivileged user of its own")


def serve_and_ask(image: Image) -> None:
    """Starts the image's command, waits for its HEALTHCHECK, stops it. Raises CheckError."""
    uid, gid = user_ids(image)
    variables = " ".join(shlex.quote(f"{key}={value}") for key, value in image.environment.items())
    enter = f"env -i {variables} chroot --userspec={uid}:{gid} {image.root}"
    number = signal.Signals[image.stop_signal].value
    script = f"""
set -u
mount --make-rprivate /
mount --bind {image.root} {image.root}
mount -o remount,bind,ro {image.root}
{chr(10).join(shell_mounts(image.root, []))}
mount -t tmpfs -o mode=1777 tmpfs {image.root}/tmp
ip link set lo up
{enter} {shlex.join([*image.entrypoint, *image.command])} &
server=$!
began=$(date +%s)
until {enter} {shlex.join(image.health)}; do
  kill -0 $server 2>/dev/null || {{ echo "the server ended by itself"; exit 3; }}
  [ $(($(date +%s) - began)) -lt {START_TIMEOUT_S} ] || {{ echo "not healthy in time"; exit 4; }}
  sleep 1
done
echo "healthy after $(($(date +%s) - began)) s, as uid $(stat -c %u /proc/$server)"
kill -{number} $server
( sleep {STOP_TIMEOUT_S}; kill -9 $server 2>/dev/null ) &
wait $server
status=$?
[ $status -eq 0 ] || {{ echo "the server answered {image.stop_signal} with status $status"; exit 5; }}
echo "stopped cleanly by {image.stop_signal}"
"""
    # The private network has a loopback device only, and ports that nobody else uses.
    outcome = subprocess.run(
        [
            "unshare",
            "--mount",
            "--pid",
            "--net",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
        ],
        check=False,
    )
    if outcome.returncode != 0:
        raise CheckError(f"serving failed with status {outcome.returncode}")
