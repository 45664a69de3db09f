"""`skin-edge train data audit`: what it writes, says and returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from skin_edge.errors import StorageError, UsageError
from skin_edge_training.audit.command import audit

app = typer.Typer()
app.command()(audit)


def run(*args: str | Path) -> Any:
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.fixture(scope="module")
def audited(two_sets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("audit") / "deep" / "out"
    (two_sets / "copies" / "test" / "benign" / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    split = out.parent.parent / "split.csv"
    ids = [f"p{n:02}" for n in range(60)]
    split.write_text("image_id,part\n" + "".join(f"{i},{'test' if i == 'p01' else 'train'}\n" for i in ids))
    result = run(two_sets / "originals", two_sets / "copies", "--out", out, "--split", split, "--json")
    assert result.exit_code == 1, result.output  # one picture cannot be read
    assert "broken.jpg" in result.stderr
    return out, json.loads(result.stdout)


def test_pairs_csv_names_both_sides_below_their_sets(audited: tuple[Path, dict[str, Any]]) -> None:
    pairs = pd.read_csv(audited[0] / "pairs.csv")
    assert list(pairs.columns) == ["set_a", "path_a", "set_b", "path_b", "kind", "similarity"]
    assert len(pairs) == 10
    turned = pairs.set_index("path_a").loc["images/p02.jpg"]
    assert turned[["set_a", "set_b", "path_b", "kind"]].tolist() == [
        "originals",
        "copies",
        "test/malignant/quarter-turn.jpg",
        "near",
    ]


def test_groups_csv_joins_copies_with_the_lesion(audited: tuple[Path, dict[str, Any]]) -> None:
    groups = pd.read_csv(audited[0] / "groups.csv", keep_default_na=False).set_index("path")["group"]
    assert groups["images/p02.jpg"] == groups["images/p03.jpg"] == groups["test/malignant/quarter-turn.jpg"]
    assert len(set(groups)) == 30 + 5


def test_the_summary_counts_sets_splits_and_failures(audited: tuple[Path, dict[str, Any]]) -> None:
    summary = audited[1]
    assert summary["sets"] == {"originals": 60, "copies": 15}
    assert summary["unreadable"] == 1
    own, given = summary["splits"]
    assert own["split"] == "folders of copies"
    # Copy k is of lesion k: no lesion has two copies, so the copies' own split is clean.
    assert (own["part"], own["pictures"], own["leaking"]) == ("test", 10, 0)
    assert (given["split"], given["pictures"], given["twin"], given["sibling"]) == ("split.csv", 1, 0, 1)
    overlap = {(r["set"], r["also_in"], r["label"]): r["shared"] for r in summary["overlaps"]}
    assert overlap["copies", "originals", "all"] == 10
    assert summary["label_conflicts"] == 0


def test_the_report_holds_its_pictures_and_needs_nothing_else(audited: tuple[Path, dict[str, Any]]) -> None:
    page = (audited[0] / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 20
    assert "http" not in page
    assert "broken.jpg" in page


def test_names_from_outside_are_not_html(tmp_path: Path, lesion: Any) -> None:
    import cv2

    for name in ("<b>one.png", "two.png"):
        assert cv2.imwrite(str(tmp_path / name), lesion(1))
    result = run(tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "&lt;b&gt;one.png" in (tmp_path / "out/report.html").read_text()
    assert "1 groups" in result.stdout


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (["{missing}"], UsageError, "no such folder"),
        (["{sets}/originals", "--split", "{missing}"], UsageError, "cannot be read"),
    ],
)
def test_bad_input_is_refused_before_any_picture_is_read(
    two_sets: Path, tmp_path: Path, args: list[str], error: type[Exception], said: str
) -> None:
    filled = [a.format(sets=two_sets, missing=tmp_path / "missing") for a in args]
    result = run(*filled, "--out", tmp_path / "out")
    assert isinstance(result.exception, error)
    assert said in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path, lesion: Any) -> None:
    import cv2

    assert cv2.imwrite(str(tmp_path / "one.png"), lesion(1))
    (tmp_path / "out").write_text("a file")
    result = run(tmp_path, "--out", tmp_path / "out")
    assert isinstance(result.exception, StorageError)
