"""The harness behind `make bench`: a ratio only for equal outputs, and the fields that a report promises."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench import report  # noqa: E402
from bench.contest import Contest, Limit, Outputs, run  # noqa: E402
from bench.measure import Pairs, interleave  # noqa: E402
from bench.registry import ROWS, chosen  # noqa: E402
from bench.result import skipped  # noqa: E402
from bench.settings import Settings  # noqa: E402

SETTINGS = Settings(build=Path("build/none"), checkpoint=Path("none"), quick=True)
FIELDS = {
    "row",
    "unit",
    "ours",
    "baseline",
    "baseline_name",
    "ratio",
    "limit_percent",
    "target",
    "met",
    "reason",
}
MACHINE = {"processor": "test"}
CEILINGS = {"f32_flops": 1e9, "bf16_flops": 1e9, "read_bytes": 1e9, "copy_bytes": 1e9}


def _work(units: int) -> Callable[[], object]:
    return lambda: sum(range(2000 * units))


def _contest(*, equal: bool, **changes: Any) -> Contest:
    defaults: dict[str, Any] = {
        "row": "C1",
        "case": "case",
        "ours": _work(1),
        "baseline": _work(20),
        "baseline_name": "slow",
        "check": lambda: Outputs(equal, "3 of 4 values differ"),
        "target": 2.0,
        "limit": Limit(1e-9, "nothing"),
        "reason": "the weather",
    }
    return Contest(**{**defaults, **changes})


def test_unequal_outputs_get_no_ratio_and_say_why() -> None:
    def never() -> object:
        raise AssertionError("a row with unequal outputs was measured")

    result = run(_contest(equal=False, ours=never, baseline=never), SETTINGS)
    assert (result.state, result.ratio, result.ours, result.met) == ("refused", None, None, False)
    assert result.outputs_equal is False
    assert "3 of 4 values differ" in result.reason


def test_equal_outputs_get_a_ratio_of_interleaved_pairs() -> None:
    result = run(_contest(equal=True), SETTINGS)
    assert result.ratio is not None
    assert result.ratio > 2
    assert result.pairs == SETTINGS.pairs
    assert result.met is True
    assert result.reason == ""


def test_a_missed_target_names_what_limits_it() -> None:
    result = run(_contest(equal=True, target=1e6), SETTINGS)
    assert (result.met, result.reason, result.state) == (False, "the weather", "measured")


def test_calls_take_turns() -> None:
    calls: list[str] = []
    interleave(lambda: calls.append("a"), lambda: calls.append("b"), pairs=4, seconds=5)
    assert calls[-8:] == ["a", "b"] * 4


def test_long_calls_get_fewer_pairs() -> None:
    pairs = interleave(_work(1), _work(1), pairs=30, seconds=0)
    assert len(pairs.ours) == 3


def test_the_ratio_is_the_median_over_pairs() -> None:
    pairs = Pairs(ours=[1.0, 1.0, 1.0], baseline=[2.0, 9.0, 3.0])
    assert pairs.ratio() == 3.0
    with pytest.raises(ValueError, match="no pairs"):
        Pairs(ours=[1.0], baseline=[])


def test_the_reports_hold_every_field(tmp_path: Path) -> None:
    results = [run(_contest(equal=equal), SETTINGS) for equal in (True, False)]
    results.append(skipped("C3", "", "no library"))
    text = report.write(tmp_path, results, MACHINE, CEILINGS)
    written = json.loads((tmp_path / "bench.json").read_text())
    assert all(set(row) >= FIELDS for row in written)
    assert [row["state"] for row in written] == ["measured", "refused", "skipped"]
    assert "no library" in text
    assert (tmp_path / "bench.md").read_text() == text


def test_rows_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert chosen("C5, C1") == ["C1", "C5"]
    assert chosen("") == [f"C{number}" for number in range(1, 18)]
    with pytest.raises(ValueError, match="unknown rows C99"):
        chosen("C99")
    assert all(importlib.util.find_spec(f"bench.{row.function.split(':')[0]}") for row in ROWS.values())


def test_instructions_may_grow_by_three_percent() -> None:
    from bench.check_instructions import compare

    assert compare({"fps": 1030}, {"fps": 1000}) == []
    assert compare({"fps": 1031}, {"fps": 1000}) == ["fps: 1031 instructions, +3.1% against 1000"]
    assert "no count" in compare({"new": 1}, {})[0]
