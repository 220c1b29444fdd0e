"""The data sheet counts what the episodes hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import DATA
from gwm.data_sheet import changed_share, main, summarise, to_markdown
from gwm.episode import read_episode

TASK = DATA / "episodes" / "hammer-v3"


def test_rows_sum_up_their_episodes() -> None:
    episodes = [read_episode(TASK / f"{name}.safetensors.zst") for name in ("expert_004", "expert_005")]
    row = summarise(episodes)[("hammer-v3", "expert")]
    assert row.returns == [episode.total_reward for episode in episodes]
    assert row.successes == 2
    assert row.frames == 202


def test_changed_pixels_are_those_that_differ_by_more_than_ten() -> None:
    episode = read_episode(TASK / "random_003.safetensors.zst")
    rgb = np.zeros((3, 1, 4, 4, 3), np.uint8)
    rgb[1, 0, 0, 0, 2] = 10
    rgb[2, 0, 0, :, 1] = 21
    episode.rgb = rgb
    # From row 0 to 1 nothing by more than 10; from 1 to 2 the four pixels of a row.
    assert changed_share(episode, 1) == pytest.approx((0 + 4 / 16) / 2)
    assert changed_share(episode, 2) == pytest.approx(4 / 16)


def test_the_table_has_a_row_per_task_and_kind_and_the_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.md"
    assert main([str(TASK), "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:-1]] == ["expert", "noisy", "random"]
    assert lines[-1].startswith("| all | | 4 | 404 |")
    assert {line.count("|") for line in lines} == {10}
    assert main([str(TASK)]) == 0
    assert capsys.readouterr().out == out.read_text()
    assert to_markdown({}).startswith("| task |")


def test_a_folder_without_episodes_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert f"below {tmp_path}" in capsys.readouterr().err
