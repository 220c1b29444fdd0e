"""Which folder may include what: the floors of the house, as data, and the checker that reads `#include`s.

An arrow may only point down:
kernels <- engine <- server, proto <- server, proto <- clients, engine/io <- clients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("*.h", "*.cc", "*.cu", "*.cuh", "*.inc")
# A header that a macro names would escape the checker. So only macros of ours that end in _BODY may name
# one, and the line that defines such a macro counts as the include.
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:[<"]([^>"]+)[>"]|(\w+))', re.MULTILINE)
_BODY = re.compile(r'^[ \t]*#[ \t]*define[ \t]+GWM_\w+_BODY[ \t]+"([^"]+)"', re.MULTILINE)
_BODY_NAME = re.compile(r"GWM_\w+_BODY")

TORCH = r"(torch|ATen|c10|caffe2)/"
CUDA = r"(cuda\w*\.h|cuda/|cub/|thrust/|cooperative_groups|mma\.h|cublas|cudnn|nvtx3?/|device_launch)"
GRPC = r"(grpc|grpcpp|grpc\+\+)/"
PROTOBUF = r"google/"
PROTO = r"gwm/v1/"
ABSL = r"absl/"
# Headers of the language, of the C library, of the compiler and of the system.
STD = (
    r"([a-z_0-9]+"
    r"|[a-z0-9]*(intrin|math|stdint|stddef|float|limits|string|stdio|stdlib)\.h"
    r"|(sys/|unistd|cpuid|sched|pthread|arm_).*)$"
)


@dataclass(frozen=True)
class Rule:
    """What files below `folder` may include. `allowed` None: anything that is not forbidden."""

    folder: str
    forbidden: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None
    reason: str = ""


# Every rule whose folder holds the file applies.
RULES = (
    Rule(
        "kernels", allowed=(r"kernels/", STD, CUDA), reason="kernels see the standard library and CUDA only"
    ),
    Rule(
        "engine",
        forbidden=(GRPC, PROTOBUF, r"gwm/", r"server/", r"clients/", r"tests/"),
        reason="the engine knows no wire and nobody above it",
    ),
    Rule(
        "engine/api",
        allowed=(r"engine/api/", r"engine/io/", ABSL, STD),
        reason="the engine's border holds plain types and absl::Status only",
    ),
    Rule(
        "engine/io",
        forbidden=(TORCH, CUDA, r"kernels/", r"engine/(?!io/)"),
        reason="engine/io is for files and terminals, without Torch",
    ),
    Rule(
        "engine/toy",
        allowed=(r"engine/(toy|api|io)/", r"kernels/", ABSL, STD),
        reason="toy worlds need neither Torch nor the model",
    ),
    Rule("engine/base", forbidden=(r"engine/(?!base/|io/|api/)",), reason="engine/base is a leaf"),
    Rule(
        "server",
        forbidden=(TORCH, CUDA, r"kernels/", r"clients/", r"engine/(?!api/|io/)", r"tests/"),
        reason="the server sees the engine through engine/api and engine/io only",
    ),
    Rule(
        "clients",
        forbidden=(r"kernels/", r"server/", r"engine/(?!io/)", r"tests/"),
        reason="clients see the protos and engine/io only",
    ),
    Rule("clients/cpp", forbidden=(TORCH, CUDA), reason="the C++ client library has no Torch"),
    Rule(
        "clients/base",
        allowed=(r"clients/base/", r"engine/io/", TORCH, ABSL, STD),
        reason="what learners share knows none of them and no wire",
    ),
    Rule(
        "clients/rl",
        allowed=(r"clients/(rl|base)/", r"engine/io/", TORCH, ABSL, STD),
        reason="learners know no wire",
    ),
    Rule(
        "clients/policies",
        allowed=(r"clients/(policies|base)/", r"engine/io/", r"nlohmann/", TORCH, ABSL, STD),
        reason="policies know no wire",
    ),
    Rule(
        "clients/cpp/include",
        allowed=(r"gwm/(?!v1/)", STD),
        reason="installed headers need the standard library only",
    ),
)

# Files elsewhere below server/ may include the protos or engine/api, never both.
TRANSLATOR = "server/convert"


def includes_of(text: str) -> list[str]:
    """The names that `text` includes; a macro as a name reads "macro NAME"."""
    without_comments = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    direct = [
        name or f"macro {macro}"
        for name, macro in _INCLUDE.findall(without_comments)
        if not _BODY_NAME.fullmatch(macro)
    ]
    return direct + _BODY.findall(without_comments)


def sources_below(root: Path, folder: str) -> list[Path]:
    base = root / folder
    return sorted(path for pattern in SOURCES for path in base.rglob(pattern))


def check_rule(root: Path, rule: Rule) -> list[str]:
    """One line per violation of `rule` in the tree at `root`."""
    violations = []
    for path in sources_below(root, rule.folder):
        for name in includes_of(path.read_text()):
            forbidden = name.startswith("macro ") or any(re.match(item, name) for item in rule.forbidden)
            unlisted = rule.allowed is not None and not any(re.match(item, name) for item in rule.allowed)
            if forbidden or unlisted:
                violations.append(f"{path.relative_to(root)} includes {name}: {rule.reason}")
    return violations


def check_translator(root: Path) -> list[str]:
    """Files of the server that know both the wire and the engine, outside the folder that may."""
    violations = []
    for path in sources_below(root, "server"):
        if path.is_relative_to(root / TRANSLATOR):
            continue
        names = includes_of(path.read_text())
        wire = [name for name in names if re.match(PROTO, name)]
        engine = [name for name in names if name.startswith("engine/api/")]
        if wire and engine:
            violations.append(f"{path.relative_to(root)} includes {wire[0]} and {engine[0]}")
    return violations
