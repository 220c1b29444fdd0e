"""House rules over all tracked files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hygiene import (
    BANS,
    CODE,
    MAX_LINES,
    MAX_README_LINES,
    Ban,
    broken_links,
    check_ban,
    check_guard,
    expected_guard,
    read_text,
    tracked_files,
)

ROOT = Path(__file__).resolve().parents[2]
TOP_FOLDERS = {
    ".ci", "checkpoints", "clients", "deploy", "docs", "engine", "kernels", "proto", "server", "tests",
}  # fmt: skip
FOLDERS_WITH_README = (
    "proto", "kernels", "engine", "server", "clients", "clients/cpp", "clients/python",
    "deploy", "tests", "docs",
)  # fmt: skip


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    contents = {str(path.relative_to(ROOT)): read_text(path) for path in tracked_files(ROOT)}
    return {name: text for name, text in contents.items() if text is not None}


@pytest.mark.parametrize("ban", BANS, ids=lambda ban: ban.name)
def test_rule_holds(ban: Ban, texts: dict[str, str]) -> None:
    assert [line for name, text in texts.items() for line in check_ban(ban, name, text)] == []


def test_no_source_file_is_longer_than_the_stop(texts: dict[str, str]) -> None:
    lengths = {name: text.count("\n") for name, text in texts.items() if name.endswith(CODE)}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_headers_carry_the_guard_of_their_path(texts: dict[str, str]) -> None:
    headers = {name: text for name, text in texts.items() if name.endswith((".h", ".cuh"))}
    assert [line for name, text in headers.items() for line in check_guard(name, text)] == []


def test_folders_have_a_short_readme(texts: dict[str, str]) -> None:
    inner = {str(Path(name).parent) for name in texts if name.startswith(("engine/", "server/"))}
    wanted = [*FOLDERS_WITH_README, *sorted(inner)]
    missing = [folder for folder in wanted if f"{folder}/README.md" not in texts]
    readmes = {name: text.count("\n") for name, text in texts.items() if name.endswith("/README.md")}
    # A model card is for its readers, not a map of a folder.
    long = {
        name: lines
        for name, lines in readmes.items()
        if lines > MAX_README_LINES and not name.startswith("checkpoints/")
    }
    assert (missing, long) == ([], {})


def test_links_between_documents_lead_somewhere(texts: dict[str, str]) -> None:
    pages = {name: text for name, text in texts.items() if name.endswith(".md")}
    assert [link for name, text in pages.items() for link in broken_links(ROOT, name, text)] == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md) [b](gone.md#x) [c](https://example.org/x) ![d](gone.png)\n```\n[e](code.md)\n```\n"
    assert broken_links(tmp_path, "page.md", text) == ["page.md: gone.md", "page.md: gone.png"]


def test_there_are_no_other_top_level_folders(texts: dict[str, str]) -> None:
    assert {name.split("/")[0] for name in texts if "/" in name} - TOP_FOLDERS == set()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("engine/train/trainer.cc", "  torch::manual" + "_seed(7);"),
        ("tests/server/queue_test.cc", "  std::this_thread::sleep" + "_for(10ms);"),
        ("tests/server/queue_test.cc", "  absl::Sleep" + "For(absl::Seconds(1));"),
        ("clients/python/tests/test_env.py", "    time.sl" + "eep(1)"),
        ("docs/api.md", "see /" + "work/main/proto"),
        ("engine/io/png.cc", "// TO" + "DO: speed"),
        ("engine/io/png.h", "using " + "namespace std;"),
    ],
)
def test_checker_notices(name: str, line: str) -> None:
    assert len([hit for ban in BANS for hit in check_ban(ban, name, f"first\n{line}\n")]) == 1


def test_guard_follows_the_path() -> None:
    assert expected_guard("engine/io/png.h") == "GWM_ENGINE_IO_PNG_H_"
    assert expected_guard("clients/cpp/include/gwm/client.h") == "GWM_CLIENT_H_"
    assert check_guard("engine/io/png.h", "#ifndef GWM_PNG_H_\n#define GWM_PNG_H_\n") != []
