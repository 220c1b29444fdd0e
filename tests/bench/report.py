"""bench.json and bench.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.result import Result

_COLUMNS = ("row", "case", "ours", "baseline", "ratio (quartiles)", "pairs", "of limit", "target", "met")


def to_json(
    results: list[Result], machine: dict[str, str], ceilings: dict[str, float]
) -> list[dict[str, Any]]:
    """One object per comparison; machine and ceilings are in each, so that a row can be quoted alone."""
    return [{**result.to_json(), "machine": machine, "ceilings": ceilings} for result in results]


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.3g}{' ' + unit if unit else ''}"


def _cells(result: Result) -> list[str]:
    quartiles = ""
    if len(result.ratio_quartiles) == 2:
        quartiles = f" ({result.ratio_quartiles[0]:.3g} - {result.ratio_quartiles[1]:.3g})"
    baseline = _number(result.baseline, result.unit)
    return [
        result.row,
        result.case or "-",
        _number(result.ours, result.unit),
        f"{baseline} {result.baseline_name}".strip(),
        _number(result.ratio) + quartiles,
        str(result.pairs or "-"),
        "-" if result.limit_percent is None else f"{result.limit_percent:.0f} %",
        result.target or "-",
        {True: "yes", False: "NO", None: "-"}[result.met] if result.state == "measured" else result.state,
    ]


def _details(result: Result) -> str:
    parts = [f"{result.row} {result.case}:"]
    if result.reason:
        parts.append(result.reason + ".")
    for label, text in (
        ("outputs", result.outputs),
        ("types", result.dtype),
        ("limit", result.limit_of),
        ("settings", result.settings),
    ):
        if text and result.state != "skipped":
            parts.append(f"{label}: {text};")
    if result.extra:
        parts.append(json.dumps({key: _short(value) for key, value in result.extra.items()}))
    return "- " + " ".join(parts).rstrip(";")


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def to_markdown(results: list[Result], machine: dict[str, str], ceilings: dict[str, float]) -> str:
    """A table, then one line per comparison with what was compared and what limits it."""
    lines = ["# Benchmarks", "", ", ".join(f"{key} {value}" for key, value in machine.items()) + ".", ""]
    lines.append(
        "Ceilings measured in this run: "
        f"{ceilings['f32_flops'] / 1e9:.0f} GFLOP/s f32, {ceilings['bf16_flops'] / 1e9:.0f} GFLOP/s bf16, "
        f"{ceilings['read_bytes'] / 1e9:.1f} GB/s reading memory, "
        f"{ceilings['copy_bytes'] / 1e9:.1f} GB/s copying."
    )
    lines += ["", "| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    lines += ["| " + " | ".join(_cells(result)) + " |" for result in results]
    lines += ["", *[_details(result) for result in results], ""]
    return "\n".join(lines)


def write(out: Path, results: list[Result], machine: dict[str, str], ceilings: dict[str, float]) -> str:
    """Writes both files into `out`; the text of bench.md."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(to_json(results, machine, ceilings), indent=1) + "\n")
    text = to_markdown(results, machine, ceilings)
    (out / "bench.md").write_text(text)
    return text
