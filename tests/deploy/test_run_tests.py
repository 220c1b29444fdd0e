"""The adding up behind the closing line of `make test`."""

from __future__ import annotations

from pathlib import Path

from run_tests import count_cases, tally_ctest

CASES = """<testsuites><testsuite>
<testcase name="A" classname="S" status="run"/>
<testcase name="B" classname="S" status="run"><failure message="no"/></testcase>
<testcase name="C" classname="S" status="run"><skipped/></testcase>
</testsuite></testsuites>"""


def _ctest(*cases: str) -> str:
    return f"<testsuite>{''.join(cases)}</testsuite>"


def _program(name: str, status: str, inner: str = "") -> str:
    return f'<testcase name="{name}" classname="{name}" time="1.5" status="{status}">{inner}</testcase>'


def test_counts_cases_of_a_report(tmp_path: Path) -> None:
    report = tmp_path / "a.xml"
    report.write_text(CASES)
    tally = count_cases(report, "prog: ")
    assert tally.line() == "1 passed, 1 failed, 1 skipped"
    assert tally.failures == ["prog: S.B"]


def test_counts_programs_case_by_case_where_they_report(tmp_path: Path) -> None:
    (tmp_path / "with_report.xml").write_text(CASES)
    report = tmp_path / "ctest.xml"
    report.write_text(_ctest(_program("with_report", "fail", "<failure/>"), _program("script", "run")))
    tally = tally_ctest(report, tmp_path)
    assert tally.line() == "2 passed, 1 failed, 1 skipped"


def test_counts_a_crash_as_a_failure_even_when_no_case_failed(tmp_path: Path) -> None:
    (tmp_path / "crash.xml").write_text("<testsuites><testcase name='A' classname='S'/></testsuites>")
    report = tmp_path / "ctest.xml"
    report.write_text(_ctest(_program("crash", "fail", "<failure/>"), _program("lost", "fail", "<failure/>")))
    tally = tally_ctest(report, tmp_path)
    assert tally.line() == "1 passed, 2 failed, 0 skipped"
    assert tally.failures[1] == "lost"


def test_counts_a_program_that_skipped_itself_and_not_one_that_is_missing(tmp_path: Path) -> None:
    report = tmp_path / "ctest.xml"
    itself = _program("itself", "notrun", '<skipped message="SKIP_RETURN_CODE=77"/>')
    missing = _program("missing", "notrun", '<skipped message="Unable to find executable: x"/>')
    report.write_text(_ctest(itself, missing, _program("off", "disabled", "<skipped/>")))
    tally = tally_ctest(report, tmp_path)
    assert (tally.line(), tally.failures) == ("0 passed, 1 failed, 2 skipped", ["missing"])
