"""`skin-edge classify` as a user meets it: real files, the shipped model, the installed command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from skin_edge.camera.drawing import draw
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

#: The JSON contract: key to type. More keys may follow, none of these may go.
CONTRACT: dict[str, type | tuple[type, ...]] = {
    "image": str,
    "label": str,
    "probability": float,
    "refer": bool,
    "threshold": float,
    "quality": dict,
    "model": dict,
    "timing_ms": dict,
    "result_id": (str, type(None)),
}


def write(path: Path, number: int, size: tuple[int, int] = (600, 450)) -> Path:
    picture = cv2.resize(draw(0, number).pixels, size, interpolation=cv2.INTER_AREA)
    assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path


def lines(result: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_keeps_the_contract(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    told = run_cli("classify", str(picture), "--json")
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    (answer,) = lines(told)
    for key, kind in CONTRACT.items():
        assert isinstance(answer[key], kind), key
    assert answer["label"] in ("benign", "malignant", "uncertain")
    assert set(answer["quality"]) >= {"ok", "reasons"}  # type: ignore[call-overload]
    assert set(answer["model"]) >= {"name", "version", "sha256"}  # type: ignore[call-overload]
    assert set(answer["timing_ms"]) >= {"preprocess", "inference", "total"}  # type: ignore[call-overload]
    assert answer["result_id"] is None
    assert answer["image"] == str(picture)
    assert "diagnosis" in str(answer["notice"])


def test_the_command_says_what_the_library_computes(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.png", 3)
    answer = lines(run_cli("classify", str(picture), "--json"))[0]
    classifier = Classifier.load(default_bundle_path(), trusted=True)
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    prediction, _, _ = classifier.classify(np.asarray(pixels, np.uint8))
    assert answer["logit"] == pytest.approx(prediction.logit, abs=1e-5)


def test_bad_files_are_reported_and_the_rest_go_on(run_cli: RunCli, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    write(folder / "img2.jpg", 1)
    write(folder / "img10.png", 2)
    write(folder / "deep" / "c.bmp", 3)
    whole = write(folder / "cut.jpg", 4).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is no picture")
    (folder / "notes.txt").write_text("not an image name: skipped")
    told = run_cli("classify", str(folder), str(tmp_path / "absent.jpg"), "--json")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    answers = lines(told)
    good = [Path(str(a["image"])).name for a in answers if "error" not in a]
    bad = {Path(str(a["image"])).name: a["error"] for a in answers if "error" in a}
    assert good == ["c.bmp", "img2.jpg", "img10.png"]
    assert set(bad) == {"cut.jpg", "text.jpg", "absent.jpg"}
    assert all(set(e) == {"code", "message"} for e in bad.values())  # type: ignore[call-overload]
    assert bad["absent.jpg"]["code"] == "image-missing"  # type: ignore[index]


def test_a_table_for_people(run_cli: RunCli, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        write(folder / f"{number}.jpg", number)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    told = run_cli("classify", str(folder))
    assert told.returncode == 1
    assert all(f"{number}.jpg" in told.stdout for number in range(3))
    assert "not a diagnosis" in told.stdout
    assert told.stderr.count("\n") == 1
    assert "broken.jpg" in told.stderr


def test_exif_orientation_is_honoured(run_cli: RunCli, tmp_path: Path) -> None:
    write(tmp_path / "upright.png", 1)
    turned = cv2.rotate(cv2.imread(str(tmp_path / "upright.png")), cv2.ROTATE_90_COUNTERCLOCKWISE)
    ok, encoded = cv2.imencode(".jpg", turned)
    assert ok
    exif = (
        bytes.fromhex("ffe10022")
        + b"Exif\0\0"
        + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    )
    data = encoded.tobytes()
    (tmp_path / "lying.jpg").write_bytes(data)
    (tmp_path / "turned.jpg").write_bytes(data[:2] + exif + data[2:])
    # What the JPEG holds, set upright by hand: a drawing written twice would differ by the codec's loss.
    by_hand = cv2.rotate(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.ROTATE_90_CLOCKWISE)
    assert cv2.imwrite(str(tmp_path / "by_hand.png"), by_hand)
    names = ("by_hand.png", "turned.jpg", "lying.jpg")
    told = lines(run_cli("classify", *(str(tmp_path / name) for name in names), "--json"))
    hand, turned_by_exif, lying = (float(str(answer["logit"])) for answer in told)
    assert turned_by_exif == pytest.approx(hand, abs=1e-4)
    assert abs(lying - hand) > 1e-2


def test_a_spoiled_picture_is_uncertain_with_its_reason(run_cli: RunCli, tmp_path: Path) -> None:
    dark = np.uint8(draw(0, 1).pixels * 0.08)
    cv2.imwrite(str(tmp_path / "dark.png"), dark[:, :, ::-1])
    answer = lines(run_cli("classify", str(tmp_path / "dark.png"), "--json"))[0]
    assert (answer["label"], answer["refer"]) == ("uncertain", True)
    assert answer["quality"]["reasons"] == ["too-dark"]  # type: ignore[index]
    told = run_cli("classify", str(tmp_path / "dark.png"))
    assert "too dark" in told.stdout


def test_explain_writes_one_picture_each_even_of_the_same_name(run_cli: RunCli, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "mole.jpg", 1)
    told = run_cli("classify", str(tmp_path / "a"), str(tmp_path / "b"), "--explain", "maps", "--json")
    assert told.returncode == 0, told.stderr
    paths = [tmp_path / str(a["explanation_path"]) for a in lines(told)]
    assert len(set(paths)) == 2
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape[0] > 400


def test_an_explanation_that_cannot_be_written_is_a_storage_error(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    (tmp_path / "taken").write_text("a file")
    told = run_cli("classify", str(picture), "--explain", "taken")
    assert told.returncode == 5
    assert told.stderr.startswith("skin-edge: taken:")


def test_operating_points_by_name(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    points = json.loads(run_cli("model", "info", "--json").stdout)["manifest"]["operating_points"]
    for point in points:
        answer = lines(run_cli("classify", str(picture), "--operating-point", point["name"], "--json"))[0]
        assert answer["threshold"] == pytest.approx(point["threshold"])
    unknown = run_cli("classify", str(picture), "--operating-point", "sensitivity-12")
    assert unknown.returncode == 2
    assert points[0]["name"] in unknown.stderr


def test_a_bad_bundle_is_refused_in_one_line(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for file in default_bundle_path().iterdir():
        (bundle / file.name).write_bytes(file.read_bytes())
    model = bytearray((bundle / "model.tflite").read_bytes())
    model[1000] ^= 1
    (bundle / "model.tflite").write_bytes(model)
    told = run_cli("classify", str(picture), "--model", str(bundle))
    assert told.returncode == 4
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1
    assert "model.tflite" in told.stderr


def test_a_dangling_current_is_never_replaced_in_silence(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    models = tmp_path / "state" / "models"
    models.mkdir(parents=True)
    (models / "current").symlink_to("gone-1.0.0")
    told = run_cli("classify", str(picture))
    assert told.returncode == 4
    assert "current" in told.stderr


def test_an_installed_model_answers_before_the_shipped_one(run_cli: RunCli, tmp_path: Path) -> None:
    picture = write(tmp_path / "mole.jpg", 1)
    models = tmp_path / "state" / "models"
    (models / "own-1.0.0").mkdir(parents=True)
    for file in default_bundle_path().iterdir():
        (models / "own-1.0.0" / file.name).write_bytes(file.read_bytes())
    (models / "own-1.0.0" / "model.tflite").write_bytes(b"x")
    (models / "current").symlink_to("own-1.0.0")
    assert run_cli("classify", str(picture)).returncode == 4
    (models / "current").unlink()
    assert run_cli("classify", str(picture)).returncode == 0


def test_a_reader_that_goes_away_ends_it_quietly(
    cli_script: str, cli_env: dict[str, str], tmp_path: Path
) -> None:
    for number in range(12):
        write(tmp_path / f"{number}.jpg", number, (200, 150))
    told = subprocess.run(
        f"'{cli_script}' classify '{tmp_path}' --json | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        env=cli_env,
    )
    assert told.stdout.count("\n") == 1
    assert told.stderr == ""


def test_no_network_is_touched(cli_script: str, cli_env: dict[str, str], tmp_path: Path) -> None:
    """In a namespace without any interface, not even loopback, the answer is the same."""
    picture = write(tmp_path / "mole.jpg", 1)
    probe = subprocess.run(["unshare", "-Urn", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip(f"unshare -Urn does not work here: {probe.stderr.decode().strip()}")
    command = ["unshare", "-Urn", cli_script, "classify", str(picture), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, env=cli_env)
    assert told.returncode == 0, told.stderr


@pytest.mark.data
def test_a_real_set_is_classified_better_than_chance(run_cli: RunCli, data_dir: Path) -> None:
    """Leaks, camera and all: this shows the wiring, not how good the model is."""
    scores = {}
    for kind in ("benign", "malignant"):
        told = run_cli("classify", str(data_dir / "kaggle_bm" / "test" / kind), "--json", timeout=120)
        assert told.returncode == 0, told.stderr
        answers = lines(told)
        assert len(answers) == len(list((data_dir / "kaggle_bm" / "test" / kind).iterdir()))
        scores[kind] = np.array([a["logit"] for a in answers], float)
    auroc = np.mean(scores["malignant"][:, None] > scores["benign"][None, :])
    assert auroc > 0.8
