"""`train evaluate` from end to end: drawn lesions through the shipped bundle to a report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import msgspec
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from skin_edge.camera.decode import read_image
from skin_edge.camera.drawing import draw
from skin_edge.errors import ImageError, StorageError, UsageError
from skin_edge.frame import Frame
from skin_edge.model.bundle import open_bundle
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.session import Session
from skin_edge_training.evidence.command import evaluate
from skin_edge_training.evidence.document import Evidence

PICTURES = 16
BUNDLE = str(default_bundle_path())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder `set` with drawn lesions of two pictures each, and labels.csv beside it."""
    root = tmp_path_factory.mktemp("drawn")
    rows = ["image_id,malignant,lesion_id,skin_type,site<b>"]
    for number in range(PICTURES):
        drawing = draw(3, number)
        small = cv2.resize(drawing.pixels, (200, 150), interpolation=cv2.INTER_AREA)
        folder = root / "set" / ("even" if number % 2 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"p{number:02d}.png"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        rows.append(f"p{number:02d},{int(drawing.irregular)},L{number // 2},{drawing.tone},<i>$x$</i>")
    (root / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def _evaluate(*args: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, list(args))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def _arguments(root: Path, out: Path) -> list[str]:
    where = ["--data", str(root / "set"), "--labels", str(root / "labels.csv"), "--out", str(out)]
    return ["--bundle", BUNDLE, *where, "--resamples", "100"]


@pytest.fixture(scope="module")
def done(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the report of the drawn set is, and what was printed."""
    out = tmp_path_factory.mktemp("out") / "evidence"
    status, printed = _evaluate(*_arguments(drawn, out))
    assert status == 0
    return out, printed


def test_what_is_measured_is_what_the_device_answers(drawn: Path, done: tuple[Path, str]) -> None:
    predictions = pd.read_csv(done[0] / "predictions.csv", keep_default_na=False)
    assert len(predictions) == PICTURES
    session = Session(Classifier(open_bundle(BUNDLE)))
    for row in predictions.itertuples():
        (path,) = (drawn / "set").rglob(f"{row.image_id}.png")
        record = session.process(Frame(read_image(path), name=row.image_id, source="file")).record
        assert row.logit == pytest.approx(record.logit, rel=1e-6)
        assert row.answer == record.label
        assert row.quality_reasons == " ".join(record.quality.reasons)


def test_metrics_json_is_the_document_and_the_tables_and_plots_are_there(done: tuple[Path, str]) -> None:
    out, printed = done
    evidence = msgspec.json.decode((out / "metrics.json").read_bytes(), type=Evidence)
    assert evidence.data.images == PICTURES
    assert evidence.data.groups == PICTURES // 2
    assert evidence.model.model_sha256 == open_bundle(BUNDLE).model_sha256
    assert {group.kind for group in evidence.subgroups} == {"skin_type", "site<b>", "quality gate"}
    plots = {path.name for path in (out / "plots").iterdir()}
    assert {"roc.png", "reliability.png", "abstention.png", "prevalence.png"} <= plots
    assert {"subgroup_skin_type.png", "subgroup_site_b.png"} <= plots
    for name in plots:
        assert read_image(out / "plots" / name).std() > 5  # a drawing, not an empty sheet
    assert (out / "tables" / "subgroups.csv").exists()
    auroc = evidence.figures["auroc"]
    assert auroc is not None
    assert f"{auroc.value:.3f} ({auroc.low:.3f}-{auroc.high:.3f})" in printed
    assert "not a diagnosis" in printed


def test_the_report_is_one_file_that_says_what_it_is(done: tuple[Path, str]) -> None:
    html = (done[0] / "report.html").read_text(encoding="utf-8")
    assert "Triage and research aid, not a diagnosis" in html
    assert "16 pictures" in html
    assert html.count('src="data:image/png;base64,') == len(list((done[0] / "plots").iterdir()))
    links = re.findall(r'(?:src|href)="(?!data:)([^"]*)"', html)
    assert links == []
    assert "<i>$x$" not in html  # what the labels say is text, not markup
    assert "&lt;i&gt;$x$" in html
    assert str(done[0]) not in html


def test_json_is_metrics_json(drawn: Path, done: tuple[Path, str], tmp_path: Path) -> None:
    status, printed = _evaluate(*_arguments(drawn, tmp_path / "out"), "--json")
    assert status == 0
    assert json.loads(printed) == json.loads((tmp_path / "out" / "metrics.json").read_bytes())
    assert json.loads(printed) == json.loads((done[0] / "metrics.json").read_bytes())


def test_the_rest_goes_on_and_the_status_is_one(drawn: Path, done: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(drawn / "set", tmp_path / "set")
    (tmp_path / "set" / "spare.png").write_bytes((tmp_path / "set" / "odd" / "p00.png").read_bytes())
    (tmp_path / "set" / "even" / "p01.png").write_bytes(b"no picture")
    labels = (drawn / "labels.csv").read_text(encoding="utf-8") + "gone,1,L99,I,back\n"
    (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
    status, printed = _evaluate(*_arguments(tmp_path, tmp_path / "out"), "--json")
    assert status == ImageError.exit_code
    document = json.loads(printed)
    assert document["data"]["images"] == PICTURES - 1
    assert document["left_out"] == {
        "images_without_label": ["spare.png"],
        "labels_without_image": ["gone"],
        "labels_of_several_images": [],
        "unreadable_images": ["p01"],
    }
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "spare.png" in html
    whole = pd.read_csv(done[0] / "predictions.csv").set_index("image_id")
    rest = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("image_id")
    assert list(rest.index) == [image_id for image_id in whole.index if image_id != "p01"]
    pd.testing.assert_frame_equal(rest, whole.loc[rest.index])


def test_a_run_is_measured_on_its_held_out_part(drawn: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(BUNDLE, run / "bundle")
    rows = ["image_id,path,lesion_id,malignant,diagnosis,age,sex,site,source,group,part"]
    for number, path in enumerate(sorted((drawn / "set").rglob("*.png"))):
        part = "test" if number < 10 else "train"
        malignant = int(draw(3, int(path.stem[1:])).irregular)
        rows.append(f"{path.stem},{path},L{number},{malignant},x,50.0,male,back,drawn,{number},{part}")
    (run / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (run / "split.csv").write_text("image_id,part\n", encoding="utf-8")
    status, printed = _evaluate(
        "--run", str(run), "--name", "held-out lesions", "--resamples", "100", "--json"
    )
    assert status == 0
    document = json.loads(printed)
    assert document["data"]["name"] == "held-out lesions"
    assert document["data"]["images"] == 10
    assert (run / "evidence" / "report.html").exists()
    assert any("another split" in caution for caution in document["cautions"])


def test_wrong_combinations_are_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --bundle"):
        _evaluate("--data", str(drawn / "set"))
    with pytest.raises(UsageError, match="not both"):
        _evaluate("--run", str(tmp_path), "--data", str(drawn / "set"))
    with pytest.raises(UsageError, match="where plots count as pictures"):
        _evaluate(*_arguments(drawn, drawn / "set" / "out"))
    with pytest.raises(UsageError, match="is missing: run"):
        _evaluate("--run", str(tmp_path), "--out", str(tmp_path / "out"))
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make this folder"):
        _evaluate(*_arguments(drawn, tmp_path / "file"))
