"""Reads a Dockerfile: stages, instructions, variables.

Knows the part of the language that ours uses and refuses the rest.

stages = parse(Path("Dockerfile").read_text())
for stage in needed(stages, "cpu"): ...
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

_KNOWN = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "STOPSIGNAL",
    "USER", "WORKDIR",
}  # fmt: skip


class DockerfileError(ValueError):
    """The file uses something that this reader does not know."""


@dataclass(frozen=True)
class Instruction:
    name: str  # "RUN", ...
    text: str  # the rest of the line, continuation lines joined, variables not yet replaced
    line: int


@dataclass
class Stage:
    name: str
    base: str  # another stage's name, or an image
    instructions: list[Instruction] = field(default_factory=list)

    def sources(self) -> list[str]:
        """Stages that COPY --from names."""
        texts = [item.text for item in self.instructions if item.name == "COPY"]
        return [found[1] for text in texts if (found := re.match(r"--from=(\S+)", text))]


def parse(text: str) -> list[Stage]:
    """The stages in order. Raises DockerfileError."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for item in _instructions(text):
        if item.name == "FROM":
            words = substitute(item.text, arguments).split()
            if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
                raise DockerfileError(f"line {item.line}: FROM {item.text}: expected IMAGE [AS NAME]")
            stages.append(Stage(words[2] if len(words) == 3 else str(len(stages)), words[0]))
        elif stages:
            stages[-1].instructions.append(item)
        elif item.name == "ARG":
            name, _, value = item.text.partition("=")
            arguments[name.strip()] = substitute(value.strip(), arguments)
        else:
            raise DockerfileError(f"line {item.line}: {item.name} before the first FROM")
    return stages


def _instructions(text: str) -> list[Instruction]:
    found = []
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        first = first if pending else number
        pending += line[:-1] + " " if line.endswith("\\") else line
        if line.endswith("\\"):
            continue
        name, _, rest = pending.partition(" ")
        if name.upper() not in _KNOWN:
            raise DockerfileError(f"line {first}: instruction {name!r} is not known here")
        found.append(Instruction(name.upper(), rest.strip(), first))
        pending = ""
    if pending:
        raise DockerfileError(f"line {first}: the file ends within an instruction")
    return found


def substitute(text: str, variables: dict[str, str]) -> str:
    """Replaces $NAME and ${NAME}; unknown names become empty, as Docker does it."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: variables.get(match[1] or match[2], ""), text)


def needed(stages: list[Stage], target: str) -> list[Stage]:
    """`target` and the stages that it is made from, in the order of the file."""
    by_name = {stage.name: stage for stage in stages}
    if target not in by_name:
        raise DockerfileError(f"no stage {target!r}; there are {', '.join(by_name)}")
    wanted: set[str] = set()
    queue = [target]
    while queue:
        name = queue.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            queue += [by_name[name].base, *by_name[name].sources()]
    return [stage for stage in stages if stage.name in wanted]


def pairs(text: str) -> dict[str, str]:
    """ENV and LABEL: KEY=value KEY="a value" ..."""
    result = {}
    for word in shlex.split(text):
        key, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(f"{text!r}: expected KEY=VALUE")
        result[key] = value
    return result


def command(text: str) -> list[str]:
    """CMD, ENTRYPOINT, HEALTHCHECK: the JSON form, or a line for the shell."""
    if text.startswith("["):
        words = json.loads(text)
        return [str(word) for word in words]
    return ["/bin/sh", "-c", text]


def health_command(text: str) -> list[str]:
    """HEALTHCHECK [--option=...]... CMD command."""
    match = re.fullmatch(r"(?:--\S+\s+)*CMD\s+(.*)", text)
    if not match:
        raise DockerfileError(f"HEALTHCHECK {text}: expected [OPTIONS] CMD ...")
    return command(match[1])


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore keeps `path` out of the context. Knows names, folders, * and a leading **/."""
    parts = path.split("/")
    for pattern in patterns:
        anywhere = pattern.startswith("**/")
        wanted = pattern.removeprefix("**/").strip("/").split("/")
        expression = [re.escape(part).replace(r"\*", "[^/]*") for part in wanted]
        starts = range(len(parts)) if anywhere else range(1)
        for start in starts:
            piece = parts[start : start + len(wanted)]
            if len(piece) == len(wanted) and all(
                re.fullmatch(exp, part) for exp, part in zip(expression, piece, strict=True)
            ):
                return True
    return False
