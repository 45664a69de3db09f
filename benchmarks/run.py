"""How fast a frame becomes a decision, beside networks and imports that everyone knows.

    python benchmarks/run.py [--out docs/results/benchmark.csv] [--check]

Everything is measured in one run on one thread, turn by turn, so that a change of the machine's speed
falls on all alike: read the ratios, not the milliseconds. `--check` ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import msgspec
import numpy as np

from skin_edge.camera.decode import read_image
from skin_edge.camera.drawing import draw
from skin_edge.frame import Frame
from skin_edge.health.bench.measure import interleaved
from skin_edge.health.bench.process import bare_import, peak_mb, process_env
from skin_edge.model.bundle import open_bundle
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import (
    ColourConstancy,
    Contrast,
    Denoise,
    HairRemoval,
    PreprocessSpec,
)
from skin_edge.quality import assess
from skin_edge.session import Session

ROOT = Path(__file__).resolve().parents[1]
PEERS = ("MobileNetV3Small", "MobileNetV2", "EfficientNetB0")
PICTURES = 60


@dataclass
class Row:
    """One line of the table; `target` is the largest (or, for rates, smallest) value that is good enough."""

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


def medians_of(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each task, run in turn."""
    return {name: statistics.median(times) for name, times in interleaved(tasks, rounds).items()}


def peer(path: Path) -> Callable[[], object]:
    """A task that invokes a reference network."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], np.float32))
    return interpreter.invoke


def frame_rows(peers: Path, rounds: int) -> list[Row]:
    """Stages, network and whole decisions on a 1920 x 1080 frame."""
    scene = cv2.resize(draw(0, 3).pixels, (1920, 1440))[180:1260]
    pixels = np.ascontiguousarray(scene)
    every = PreprocessSpec(
        hair_removal=HairRemoval(enabled=True),
        denoise=Denoise(enabled=True),
        colour_constancy=ColourConstancy(enabled=True),
        contrast=Contrast(enabled=True),
    )
    classifier = Classifier.load(default_bundle_path(), trusted=True)
    spec = msgspec.structs.replace(every, crop_resize=classifier.bundle.manifest.preprocess.crop_resize)
    all_stages, shipped = Preprocessor(spec), Preprocessor(classifier.bundle.manifest.preprocess)
    tasks: dict[str, Callable[[], object]] = {
        "resize 1920x1080 to 224 (INTER_AREA)": lambda: cv2.resize(
            pixels, (224, 224), interpolation=cv2.INTER_AREA
        ),
        "quality gate": lambda: assess(pixels),
    }
    image = pixels
    for name, stage in all_stages.stages:
        tasks[f"stage {name}"] = lambda stage=stage, image=image: stage(image)
        image = stage(image)
    tasks["stage normalisation"] = lambda: all_stages.normalise(image)
    tasks["all six stages"] = lambda: all_stages(pixels)
    tasks["stages of the shipped spec"] = lambda: shipped(pixels)
    tensor, network = shipped(pixels), Network(classifier.bundle.model, shipped(pixels).shape)
    tasks["invoke skin-edge"] = lambda: network.predict(tensor)
    for name in PEERS:
        tasks[f"invoke {name} 224"] = peer(peers / f"{name}.tflite")
    session = Session(classifier)
    frame = Frame(pixels, name="benchmark", source="benchmark")
    tasks["frame to decision"] = lambda: session.process(frame)
    medians = medians_of(tasks, rounds)
    yardstick = medians["resize 1920x1080 to 224 (INTER_AREA)"] + medians["invoke MobileNetV3Small 224"]
    rows = [Row(name, value, "ms") for name, value in medians.items()]
    rows.append(
        Row(
            "frame to decision / (resize to 224 + MobileNetV3Small)",
            medians["frame to decision"] / yardstick,
            "ratio",
            1.0,
        )
    )
    rows.append(
        Row(
            "invoke skin-edge / MobileNetV3Small",
            medians["invoke skin-edge"] / medians["invoke MobileNetV3Small 224"],
            "ratio",
            0.6,
        )
    )
    return rows


def process_rows(folder: Path, rounds: int) -> list[Row]:
    """Whole processes: help, one picture, a bare import beside them; peak memory; a folder of pictures."""
    command = [str(Path(sys.executable).with_name("skin-edge"))]
    one = str(next(folder.iterdir()))
    commands = {
        "bare import of numpy, cv2, litert": bare_import(),
        "skin-edge --help": [*command, "--help"],
        "skin-edge classify, one picture": [*command, "classify", one, "--json"],
    }

    def start(arguments: list[str]) -> None:
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=process_env())

    medians = medians_of({name: lambda a=a: start(a) for name, a in commands.items()}, rounds)
    rows = [Row(name, value / 1e3, "s", 0.4 if "help" in name else None) for name, value in medians.items()]
    ratio = medians["skin-edge classify, one picture"] / medians["bare import of numpy, cv2, litert"]
    rows.append(Row("classify one picture / bare import", ratio, "ratio", 1.6))
    rows.append(
        Row(
            "peak memory of classify, folder",
            peak_mb([*command, "classify", str(folder), "--json"]),
            "MB",
            150,
        )
    )
    return rows


def folder_rows(folder: Path, rounds: int) -> list[Row]:
    """Rate of `classify FOLDER`, start-up taken off, against a bare loop over the same pictures."""
    bundle = open_bundle(default_bundle_path())
    preprocessor = Preprocessor(bundle.manifest.preprocess)
    size_px = bundle.manifest.input.height
    network = Network(bundle.model, (size_px, size_px, 3))
    paths = sorted(folder.iterdir())
    command = [str(Path(sys.executable).with_name("skin-edge")), "classify", "--json"]

    def bare() -> None:
        for path in paths:
            network.predict(preprocessor(read_image(path)))

    def whole(arguments: list[str]) -> Callable[[], object]:
        return lambda: subprocess.run(
            [*command, *arguments], check=True, stdout=subprocess.DEVNULL, env=process_env()
        )

    medians = medians_of({"bare": bare, "one": whole([str(paths[0])]), "all": whole([str(folder)])}, rounds)
    ours = (len(paths) - 1) / (medians["all"] - medians["one"]) * 1e3
    theirs = len(paths) / medians["bare"] * 1e3
    return [
        Row("bare loop decode + stages + invoke", theirs, "images/s"),
        Row("skin-edge classify of a folder", ours, "images/s"),
        Row("folder rate / bare loop", ours / theirs, "ratio", 0.6, at_least=True),
    ]


def write_pictures(folder: Path) -> None:
    """Drawn lesions as JPEG files of the size of a common data set."""
    for seed in range(PICTURES):
        picture = cv2.resize(draw(0, seed).pixels, (600, 450), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{seed:03d}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/benchmark.csv")
    parser.add_argument("--peers", type=Path, default=ROOT / "cache/peers")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    subprocess.run([sys.executable, str(ROOT / "benchmarks/peers.py"), str(options.peers)], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder)
        rows = frame_rows(options.peers, options.rounds)
        rows += process_rows(folder, max(5, options.rounds // 3))
        rows += folder_rows(folder, 5)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "value", "unit", "target", "met"))
        for row in rows:
            met = {None: "", True: "yes", False: "no"}[row.met]
            writer.writerow((row.what, f"{row.value:.4g}", row.unit, row.target or "", met))
            target = "" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:g}  {met}"
            print(f"{row.what:58s} {row.value:9.3f} {row.unit:9s} {target}")
    print(f"saved to {options.out}")
    if options.check and any(row.met is False for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
