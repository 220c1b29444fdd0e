"""Checks the Dockerfile without a container engine: `make image-check`.

Replays the Dockerfile's own steps (read from the file, so that the two cannot drift apart) in a debootstrap
chroot. Then starts the image's command there as the image's user, on a read-only root, in a network of its
own; runs its HEALTHCHECK until it passes; stops it with its STOPSIGNAL. Prints `PASS ...` or `FAIL ...`; the
exit status is 0 exactly for PASS. Needs root on Debian.

The host's package mirror, pip settings and certificates are passed on. LibTorch: the one in build/python is
lent to the chroot when it is there; --fresh downloads the pinned wheel instead, through a pip cache that
later runs share.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from image_check.dockerfile import DockerfileError, parse
from image_check.host import ROOT, make_host
from image_check.replay import build
from image_check.report import CheckError, say
from image_check.serve import serve_and_ask


def require_tools() -> None:
    if os.geteuid() != 0:
        raise CheckError("not root: a chroot needs it (sudo make image-check)")
    if shutil.which("debootstrap") is None:
        say("installing debootstrap")
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"], check=True
        )
    for tool in ("unshare", "chroot", "ip"):
        if shutil.which(tool) is None:
            raise CheckError(f"{tool} is missing (Debian packages util-linux, coreutils, iproute2)")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", default="cpu", help="stage to build and run (default cpu)")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build/image-check", help="folder for roots and caches"
    )
    parser.add_argument("--fresh", action="store_true", help="download LibTorch as docker build would")
    parser.add_argument("--keep", action="store_true", help="keep the roots of the stages")
    options = parser.parse_args()
    work = options.work.resolve()
    stages_folder = work / "stages"
    try:
        require_tools()
        shutil.rmtree(stages_folder, ignore_errors=True)
        stages_folder.mkdir(parents=True)
        host = make_host(work / "cache", options.fresh)
        stages = parse((ROOT / "Dockerfile").read_text())
        image = build(stages, options.target, stages_folder, host)
        size = subprocess.run(["du", "-sm", str(image.root)], check=True, capture_output=True, text=True)
        say(f"image root: {size.stdout.split()[0]} MB")
        serve_and_ask(image)
    except (CheckError, DockerfileError, subprocess.CalledProcessError) as error:
        print(f"FAIL image-check: {error}", flush=True)
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(stages_folder, ignore_errors=True)
    print(f"PASS image-check: target {options.target}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
