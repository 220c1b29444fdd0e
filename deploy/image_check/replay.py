"""Executes the Dockerfile's instructions on chroots."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from image_check.chroot import DEFAULT_PATH, make_base, run_in_chroot
from image_check.dockerfile import Stage, command, health_command, ignored, needed, pairs, substitute
from image_check.host import ROOT, Host
from image_check.report import CheckError, say


@dataclass
class Image:
    """A stage that was replayed: its files and its settings."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    folder: str = "/"
    user: str = "0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stop_signal: str = "SIGTERM"

    def copy_to(self, root: Path) -> Image:
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.root), str(root)], check=True)
        return Image(
            root, dict(self.environment), self.folder, self.user, self.entrypoint, self.command, self.health
        )


def inside(image: Image, path: str) -> Path:
    """A path of the image as a path of the host; relative ones start at WORKDIR."""
    absolute = os.path.normpath(os.path.join(image.folder, path))
    return image.root / absolute.lstrip("/")


def context_files() -> list[str]:
    """What the build context holds: the files of the repository that .dockerignore lets pass."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    patterns = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line.strip()]
    names = [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if not ignored(name, patterns)]


def copy_from_context(image: Image, sources: list[str], target: str) -> None:
    names = context_files()
    for source in sources:
        prefix = "" if source == "." else source.rstrip("/")
        chosen = [name for name in names if prefix in ("", name) or name.startswith(prefix + "/")]
        if not chosen:
            raise CheckError(f"COPY {source}: nothing of that name in the build context")
        for name in chosen:
            is_file = name == prefix
            relative = Path(name).name if is_file else os.path.relpath(name, prefix or ".")
            into_folder = not is_file or target.endswith("/")
            destination = inside(image, target) / relative if into_folder else inside(image, target)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination)


def copy(image: Image, text: str, done: dict[str, Image]) -> None:
    words = text.split()
    origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    *sources, target = words
    if origin is None:
        copy_from_context(image, sources, target)
        return
    for source in sources:
        path = inside(Image(done[origin].root), source)
        if path.is_dir():
            shutil.copytree(path, inside(image, target), symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, inside(image, target))


def replay(stage: Stage, image: Image, done: dict[str, Image], host: Host) -> None:
    for item in stage.instructions:
        text = item.text
        if item.name == "RUN":
            say(f"{stage.name}: RUN {text}")
            run_in_chroot(image.root, text, image.environment, image.folder, host)
        elif item.name == "COPY":
            say(f"{stage.name}: COPY {text}")
            copy(image, text, done)
        elif item.name == "WORKDIR":
            image.folder = os.path.normpath(os.path.join(image.folder, text))
            inside(image, ".").mkdir(parents=True, exist_ok=True)
        elif item.name == "ENV":
            for key, value in pairs(text).items():
                image.environment[key] = substitute(value, image.environment)
        elif item.name == "USER":
            image.user = text
        elif item.name == "ENTRYPOINT":
            image.entrypoint = command(text)
        elif item.name == "CMD":
            image.command = command(text)
        elif item.name == "HEALTHCHECK":
            image.health = health_command(text)
        elif item.name == "STOPSIGNAL":
            image.stop_signal = text


def build(stages: list[Stage], target: str, work: Path, host: Host) -> Image:
    """Replays all stages that `target` needs."""
    wanted = needed(stages, target)
    done: dict[str, Image] = {}
    for stage in wanted:
        root = work / stage.name
        if stage.base in done:
            say(f"stage {stage.name} from {stage.base}")
            image = done[stage.base].copy_to(root)
        else:
            say(f"stage {stage.name} from {stage.base}")
            image = Image(make_base(work.parent / "cache/base", stage.base)).copy_to(root)
        replay(stage, image, done, host)
        done[stage.name] = image
    return done[target]
