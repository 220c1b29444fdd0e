"""The engine's shared object exports its API alone, and the server takes no symbol of Torch."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("GWM_BUILD", "build/release")
ENGINE = BUILD / "lib/libgwm_engine.so"
SERVER = BUILD / "bin/gwm-server"
CLIENT_PROGRAM = BUILD / "bin/gwm-step"

# Functions in namespace gwm and what a caller needs to catch or delete objects of its classes.
_OURS = re.compile(r"^((typeinfo|typeinfo name|vtable|VTT) for )?gwm::(?!kernels::|io::)\w")
_INTERNAL = re.compile(r"\b(torch|at|c10|google::protobuf|grpc)::")
_TORCH = re.compile(r"\b(torch|at|c10)::")


def dynamic_symbols(path: Path, which: str) -> list[str]:
    """Demangled names: which = "--defined-only" or "--undefined-only"."""
    text = subprocess.run(["nm", "-DC", which, str(path)], check=True, capture_output=True, text=True).stdout
    return [match[1] for match in re.finditer(r"^[0-9a-f ]*[A-Za-z] (.+)$", text, re.MULTILINE)]


def foreign_exports(names: list[str]) -> list[str]:
    """Those of `names` that are no part of the engine's API. The name of a version node is no symbol."""
    named = [name for name in names if not re.fullmatch(r"GWM_ENGINE[\w.]*(@@.*)?", name)]
    return [name for name in named if not _OURS.match(name) or _INTERNAL.search(name)]


def needed_libraries(path: Path) -> list[str]:
    text = subprocess.run(["readelf", "-d", str(path)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text)


def test_engine_exports_its_api() -> None:
    names = dynamic_symbols(ENGINE, "--defined-only")
    assert any(name.startswith("gwm::OpenWorld(") for name in names)


def test_engine_exports_nothing_else() -> None:
    assert foreign_exports(dynamic_symbols(ENGINE, "--defined-only")) == []


@pytest.mark.parametrize("program", [SERVER, CLIENT_PROGRAM], ids=lambda path: path.name)
def test_program_takes_no_symbol_of_torch(program: Path) -> None:
    taken = [name for name in dynamic_symbols(program, "--undefined-only") if _TORCH.search(name)]
    assert taken == []
    assert [name for name in needed_libraries(program) if name.startswith(("libtorch", "libc10"))] == []


def test_engine_takes_no_symbol_of_the_wire() -> None:
    names = dynamic_symbols(ENGINE, "--undefined-only")
    assert [name for name in names if re.search(r"\b(grpc|google::protobuf)::", name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "at::Tensor::add(at::Tensor const&)",
        "gwm::kernels::FarthestPoints(float const*, int)",
        "gwm::io::ReadFile(std::string)",
        "gwm::Decode(at::Tensor const&)",
        "std::vector<int>::push_back(int&&)",
        "vtable for torch::nn::Module",
        "google::protobuf::Message::~Message()",
        "malloc",
    ],
)
def test_checker_refuses_a_foreign_export(name: str) -> None:
    assert foreign_exports([name]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "gwm::OpenWorld(gwm::WorldOptions const&)",
        "typeinfo for gwm::World",
        "vtable for gwm::WorldState",
        "gwm::World::~World()",
        "GWM_ENGINE_1.0",
    ],
)
def test_checker_lets_the_api_pass(name: str) -> None:
    assert foreign_exports([name]) == []
