"""No folder includes what is above it, and the checker notices when one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from layer_rules import RULES, Rule, check_rule, check_translator, includes_of, sources_below

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.folder)
def test_folder_includes_nothing_above_it(rule: Rule) -> None:
    assert check_rule(ROOT, rule) == []


def test_only_the_translator_knows_both_wire_and_engine() -> None:
    assert check_translator(ROOT) == []


@pytest.mark.parametrize(
    "folder",
    [
        "kernels",
        "engine",
        "engine/api",
        "server",
        "clients/cpp",
        "clients/base",
        "clients/rl",
        "clients/policies",
    ],
)
def test_the_checked_folders_hold_sources(folder: str) -> None:
    assert len(sources_below(ROOT, folder)) > 1


# folder, a line that must be refused there
WRONG = [
    ("kernels", "#include <torch/torch.h>"),
    ("kernels", '#include "absl/status/status.h"'),
    ("kernels", '#include "engine/api/types.h"'),
    ("kernels", "#include <google/protobuf/message.h>"),
    ("kernels", '#define GWM_SIMD_BODY "engine/scene/body.inc"\n#include GWM_SIMD_BODY'),
    ("engine/model", "#include <grpcpp/server.h>"),
    ("engine/model", '#include "gwm/v1/tensor.pb.h"'),
    ("engine/model", "# include <google/protobuf/message.h>"),
    ("engine/runtime", '#include "server/base/status.h"'),
    ("engine/runtime", '#include "clients/cpp/src/wire.h"'),
    ("engine/api", "#include <ATen/ATen.h>"),
    ("engine/api", '#include "engine/scene/camera.h"'),
    ("engine/io", "#include <c10/util/Exception.h>"),
    ("engine/io", '#include "engine/scene/ply.h"'),
    ("engine/base", '#include "engine/model/dit.h"'),
    ("server/rpc", "#include <torch/torch.h>"),
    ("server/session", "#include <cuda_runtime.h>"),
    ("server/session", '#include "kernels/fps.h"'),
    ("server/session", '#include "engine/runtime/world.h"'),
    ("server/session", "#include WORLD_HEADER"),
    ("clients/rl", '#include "engine/api/world.h"'),
    ("clients/rl", "#include <grpcpp/channel.h>"),
    ("clients/rl", '#include "gwm/v1/simulator.pb.h"'),
    ("clients/rl", '#include "gwm/client.h"'),
    ("clients/base", '#include "clients/rl/agent.h"'),
    ("clients/policies", '#include "clients/rl/agent.h"'),
    ("clients/policies", '#include "engine/api/world.h"'),
    ("clients/policies", "#include <grpcpp/channel.h>"),
    ("clients/cpp/src", '#include "server/convert/tensor.h"'),
    ("clients/cpp/src", "#include <torch/torch.h>"),
    ("clients/cpp/include/gwm", '#include "gwm/v1/simulator.pb.h"'),
    ("clients/cpp/include/gwm", "#include <grpcpp/channel.h>"),
]


@pytest.mark.parametrize(("folder", "line"), WRONG)
def test_checker_refuses_a_wrong_include(tmp_path: Path, folder: str, line: str) -> None:
    _write(tmp_path / folder / "wrong.h", f"#include <vector>\n{line}\n")
    violations = [text for rule in RULES for text in check_rule(tmp_path, rule)]
    assert len(violations) >= 1
    assert all("wrong.h" in text for text in violations)


RIGHT = [
    (
        "kernels",
        '#include <cmath>\n#include <immintrin.h>\n#include <cuda_runtime.h>\n#include "kernels/simd.h"',
    ),
    ("kernels", '#define GWM_SIMD_BODY "kernels/fps_body.inc"\n#include GWM_SIMD_BODY'),
    ("engine/model", '#include <torch/torch.h>\n#include "kernels/fps.h"\n#include "absl/status/status.h"'),
    ("engine/api", '#include <span>\n#include "absl/status/statusor.h"\n#include "engine/io/host_tensor.h"'),
    (
        "server/rpc",
        '#include <grpcpp/server.h>\n#include "gwm/v1/simulator.pb.h"\n#include "server/base/status.h"',
    ),
    ("server/session", '#include "engine/api/world.h"\n#include "engine/io/episode.h"'),
    ("clients/cpp/bin", '#include "gwm/client.h"\n#include "engine/io/episode.h"'),
    ("clients/rl", '#include <torch/torch.h>\n#include "engine/io/file.h"\n#include "clients/rl/batch.h"'),
    (
        "clients/policies",
        '#include <nlohmann/json.hpp>\n#include "clients/base/checks.h"\n#include "engine/io/file.h"',
    ),
]


@pytest.mark.parametrize(("folder", "text"), RIGHT)
def test_checker_lets_right_includes_pass(tmp_path: Path, folder: str, text: str) -> None:
    _write(tmp_path / folder / "right.cc", f"{text}\n")
    assert [line for rule in RULES for line in check_rule(tmp_path, rule)] == []


def test_checker_refuses_a_file_that_knows_wire_and_engine(tmp_path: Path) -> None:
    both = '#include "gwm/v1/tensor.pb.h"\n#include "engine/api/types.h"\n'
    _write(tmp_path / "server/convert/tensor.cc", both)
    assert check_translator(tmp_path) == []
    _write(tmp_path / "server/rpc/step.cc", both)
    assert len(check_translator(tmp_path)) == 1


def test_commented_includes_do_not_count() -> None:
    assert includes_of("/* #include <a.h> */\n// #include <b.h>\n#include <c>\n") == ["c"]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
