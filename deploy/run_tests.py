"""Runs CTest and pytest and closes with one line over everything: `N passed, N failed, N skipped`.

GoogleTest programs count case by case (their XML reports), every other CTest test counts as one.
The exit status is 0 exactly when nothing failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
PYTEST_FOLDERS = (
    "tests/layers",
    "tests/deploy",
    "tests/proto",
    "clients/python/tests",
    "tests/reliability",
    "tests/e2e",
)
SLOWEST_SHOWN = 8


@dataclass
class Tally:
    """Counts of cases, the names of those that failed, and the seconds of each program."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: list[tuple[float, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.seconds += other.seconds

    def fail(self, name: str) -> None:
        self.failed += 1
        self.failures.append(name)

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_cases(report: Path, prefix: str) -> Tally:
    """Counts the <testcase> elements of a JUnit-like report (GoogleTest, pytest and CTest write such)."""
    tally = Tally()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{prefix}{case.get('classname', '')}.{case.get('name', '')}"
        if case.find("failure") is not None or case.find("error") is not None:
            tally.fail(name)
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def _program_failed(program: ElementTree.Element) -> bool:
    """CTest calls both a program that is missing and one that skipped itself "not run"."""
    skipped = program.find("skipped")
    skipped_itself = skipped is not None and skipped.get("message", "").startswith("SKIP_")
    return (
        program.find("failure") is not None
        or program.get("status") == "fail"
        or (program.get("status") == "notrun" and not skipped_itself)
    )


def tally_ctest(report: Path, cases: Path) -> Tally:
    """One program after the other: its own report in `cases` when there is one, else one case."""
    total = Tally()
    for program in ElementTree.parse(report).getroot().iter("testcase"):
        name = program.get("name", "")
        total.seconds.append((float(program.get("time", "0")), name))
        failed = _program_failed(program)
        own_report = cases / f"{name}.xml"
        if own_report.exists():
            tally = count_cases(own_report, f"{name}: ")
            if failed and tally.failed == 0:
                tally.fail(f"{name} (crashed, timed out or left a non-zero status)")
        else:
            tally = Tally()
            if failed:
                tally.fail(name)
            elif program.find("skipped") is not None or program.get("status") in ("notrun", "disabled"):
                tally.skipped += 1
            else:
                tally.passed += 1
        total.add(tally)
    return total


def run_ctest(build: Path, jobs: int, slow: bool, results: Path) -> Tally:
    report, cases = results / "ctest.xml", results / "cases"
    cases.mkdir(parents=True)
    environment = dict(os.environ, GTEST_OUTPUT=f"xml:{cases}/", GWM_CASE_REPORTS=str(cases))
    selection = ["--label-regex" if slow else "--label-exclude", "^slow$"]
    command = ["ctest", "--test-dir", str(build), "--output-on-failure", "--parallel", str(jobs)]
    status = subprocess.run(
        [*command, *selection, "--no-tests=ignore", "--output-junit", str(report)],
        check=False,
        env=environment,
    ).returncode
    if not report.exists():
        tally = Tally()
        tally.fail(f"ctest wrote no report (status {status})")
        return tally
    tally = tally_ctest(report, cases)
    if status != 0 and tally.failed == 0:
        tally.fail(f"ctest (status {status})")
    return tally


def run_pytest(folder: Path, build: Path, slow: bool, report: Path) -> Tally:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    began = time.monotonic()
    status = subprocess.run(
        [*command, "-m", "slow" if slow else "not slow", f"--junitxml={report}"],
        check=False,
        cwd=ROOT,
        env=dict(os.environ, GWM_BUILD=str(build)),
    ).returncode
    tally = count_cases(report, "") if report.exists() else Tally()
    nothing_collected = status == 5
    if status != 0 and not nothing_collected and tally.failed == 0:
        tally.fail(f"pytest {folder.relative_to(ROOT)} (status {status})")
    tally.seconds.append((time.monotonic() - began, f"pytest {folder.relative_to(ROOT)}"))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="build folder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="programs at a time")
    parser.add_argument("--slow", action="store_true", help="the tests labelled slow instead of the others")
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    results = build / ("test-results-slow" if options.slow else "test-results")
    shutil.rmtree(results, ignore_errors=True)

    began = time.monotonic()
    total = run_ctest(build, options.jobs, options.slow, results)
    for folder in PYTEST_FOLDERS:
        if (ROOT / folder).is_dir():
            report = results / f"{folder.replace('/', '_')}.xml"
            total.add(run_pytest(ROOT / folder, build, options.slow, report))

    slowest = sorted(total.seconds, reverse=True)[:SLOWEST_SHOWN]
    print("\nslowest: " + ", ".join(f"{name} {seconds:.0f} s" for seconds, name in slowest))
    for name in total.failures:
        print(f"FAILED {name}")
    print(f"{time.monotonic() - began:.0f} s; reports in {results.relative_to(ROOT)}")
    print(total.line(), flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
