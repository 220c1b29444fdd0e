"""House rules that a regular expression can check, and the reader of tracked files that they run on."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CODE = (".h", ".cc", ".cu", ".cuh", ".py")
# Patterns are put together from pieces so that this file does not match itself.
_WORK = r"(?<![\w.}])/" + "work/"
_SHARED = r"\.\./" + "shared"
_HOME = "/" + "home/"


@dataclass(frozen=True)
class Ban:
    """Lines that match `pattern` in files whose path matches `where` break the rule `name`."""

    name: str
    pattern: str
    where: str
    reason: str


BANS = (
    Ban(
        "no global random numbers",
        r"manual" + r"_seed\s*\(",
        r".*\.(h|cc|cu|cuh)$",
        "randomness comes from a generator that the caller owns",
    ),
    Ban(
        "no sleeps in tests",
        r"(\bsleep" + r"_(for|until)\b|\bSleep" + r"For\b|\btime\." + r"sleep\(|\bu?sleep" + r"\()",
        r"(tests/|clients/python/tests/).*\.(h|cc|py)$",
        "wait for the event itself, with a deadline",
    ),
    Ban(
        "no paths of one machine",
        rf"({_WORK}|{_SHARED}\b|{_HOME}\w)",
        r".*",
        "the repository speaks of the product alone",
    ),
    Ban(
        "no open ends",
        r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
        r".*\.(h|cc|cu|cuh|py|proto|sh|cmake)$",
        "finish it or leave it out",
    ),
    Ban(
        "no using namespace in headers",
        r"^\s*using " + r"namespace ",
        r".*\.(h|cuh)$",
        "it leaks into every file that includes the header",
    ),
)

MAX_LINES = 600
MAX_README_LINES = 40


def tracked_files(root: Path) -> list[Path]:
    """Files of the repository that exist, and those that would be added to it."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.split(b"\0")
    paths = [root / name.decode() for name in names if name]
    return [path for path in paths if path.is_file()]


def check_ban(ban: Ban, name: str, text: str) -> list[str]:
    """One line per violation in the file `name` (relative path) with the content `text`."""
    if not re.match(ban.where, name):
        return []
    lines = enumerate(text.splitlines(), start=1)
    return [
        f"{name}:{number}: {ban.reason}: {line.strip()[:80]}"
        for number, line in lines
        if re.search(ban.pattern, line)
    ]


def expected_guard(name: str) -> str:
    """The include guard of a header: its path from the root or from an installed include folder."""
    from_include = re.sub(r"^clients/cpp/include/gwm/", "", name)
    stem = re.sub(r"[/.\-]", "_", from_include).upper()
    return f"GWM_{stem}_"


def check_guard(name: str, text: str) -> list[str]:
    """Headers that are meant to be included several times say so and why: `(No include guard: ...)`."""
    guard = expected_guard(name)
    if "(No include guard: " in text:
        return []
    if f"#ifndef {guard}\n#define {guard}\n" in text:
        return []
    return [f"{name}: include guard is not {guard}"]


def read_text(path: Path) -> str | None:
    """The content, or None for a binary file."""
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        return None
    return data.decode(errors="replace")


def broken_links(root: Path, name: str, text: str) -> list[str]:
    """Relative links of a Markdown file that lead nowhere."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [f"{name}: {target}" for target in relative if not (root / name).parent.joinpath(target).exists()]
