"""How often the quality gate refuses real lesions, as they are and spoiled, and pictures of other things.

    python benchmarks/quality_gate.py [--data DIR] [--images 800] [--out docs/results/quality_gate.csv]

Reads HAM10000 (200x150), melanoma10k (192x192) and the test half of the Kaggle set (224x224) from
SKIN_EDGE_DATA or ../shared/data, and the sample pictures that scikit-image, scikit-learn, matplotlib and
mahotas ship. HAM10000 and melanoma10k are measured on the lesions that nothing was fitted on: on all of
them as they are, and spoiled on `--images` (a quarter of that for the other sets). The Kaggle set shares
many lesions with HAM10000. None has a record of skin type: the darkest tenth by mean luma, and skin with
melanin added, stand in. Pictures of other things also go through the shipped network: the column
`confident` counts those answered benign or malignant. About two minutes on a core of its own.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pictures import FITTING, MEASURING, Lesions, Thing, things
from quality_spoil import (
    Rng,
    Spoil,
    bare_skin,
    blurred,
    central,
    glared,
    hue_turned,
    inverted,
    lit,
    magnified,
    mirrored,
    moved,
    scaled,
    toned,
)
from quality_synthetic import SURFACES

from skin_edge.camera.decode import read_image
from skin_edge.decision import DecisionPolicy
from skin_edge.frame import QualityReport
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.quality import (
    GLARE,
    MOTION,
    NO_LESION,
    NOT_SKIN,
    OUT_OF_FOCUS,
    REASON_TEXT,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
    assess,
)

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260101
Rgb = npt.NDArray[np.uint8]


def patched(how: Callable[[Rgb, int], Rgb]) -> Callable[[Rgb, Rng], Rgb | None]:
    def spoil(rgb: Rgb, rng: Rng) -> Rgb | None:
        patch = bare_skin(rgb, rng)
        return None if patch is None else how(patch, 3 * len(patch))

    return spoil


BLUR = (OUT_OF_FOCUS, MOTION)

#: What is done, the reasons of which the gate should give one (none: it should let it pass), and how.
CONDITIONS: tuple[tuple[str, tuple[str, ...], Spoil | Callable[[Rgb, Rng], Rgb | None]], ...] = (
    ("noise sd 5", (), blurred(0.0, 5.0)),
    ("light x0.5, noise sd 2", (), lit(0.5, 2.0)),
    ("white balance off by up to 15 %", (), toned(0.0, 0.0, 0.33)),
    ("more melanin, 0.5", (), toned(0.5, 0.5)),
    ("more melanin, 1.0", (), toned(1.0, 1.0)),
    ("more melanin, 1.6", (), toned(1.6, 1.6)),
    ("blur sigma 1 % of side", (OUT_OF_FOCUS,), blurred(0.01)),
    ("blur sigma 1.5 % of side", (OUT_OF_FOCUS,), blurred(0.015)),
    ("blur sigma 2 % of side", (OUT_OF_FOCUS,), blurred(0.02)),
    ("blur sigma 3 % of side", (OUT_OF_FOCUS,), blurred(0.03)),
    ("blur sigma 2 % of side, noise sd 5", (OUT_OF_FOCUS,), blurred(0.02, 5.0)),
    ("motion 3 % of side", BLUR, moved(0.03)),
    ("motion 3 % of side, noise sd 3", BLUR, moved(0.03, 3.0)),
    ("motion 5 % of side", BLUR, moved(0.05)),
    ("motion 8 % of side", BLUR, moved(0.08)),
    ("light x0.15", (TOO_DARK,), lit(0.15)),
    ("light x2.5, saturated", (TOO_BRIGHT,), lit(2.5)),
    ("glare over 2 to 8 % of the square", (GLARE,), glared(0.02, 0.08)),
    ("shorter side 90 px", (TOO_SMALL,), scaled(90)),
    ("bare skin, magnified", (NO_LESION,), patched(magnified)),
    ("bare skin, mirrored", (NO_LESION,), patched(mirrored)),
    ("hue turned 90 to 270 degrees", (NOT_SKIN,), hue_turned(90, 270)),
    ("inverted", (NOT_SKIN,), inverted),
)


def measure(name: str, images: list[Rgb], malignant: list[bool], spoiled: int) -> Iterable[dict[str, str]]:
    reports = [assess(image) for image in images]
    yield row(name, "as it is", (), reports)
    luma = np.array([report.metrics["luma_mean"] for report in reports])
    dark = np.flatnonzero(luma <= np.quantile(luma, 0.1))
    yield row(name, "as it is, darkest tenth", (), [reports[i] for i in dark])
    if any(malignant):
        flagged = [report for report, bad in zip(reports, malignant, strict=True) if bad]
        yield row(name, "as it is, malignant", (), flagged)
    for what, expected, spoil in CONDITIONS:
        rng = np.random.default_rng(SEED)
        made = (spoil(central(image), rng) for image in images[:spoiled])
        yield row(name, what, expected, [assess(image) for image in made if image is not None])


def row(
    name: str,
    what: str,
    expected: tuple[str, ...],
    reports: list[QualityReport],
    confident: int | None = None,
) -> dict[str, str]:
    counts = Counter(reason for report in reports for reason in report.reasons)
    named = sum(not set(expected).isdisjoint(report.reasons) for report in reports)
    refused = sum(not report.ok for report in reports)
    return {
        "dataset": name,
        "condition": what,
        "images": str(len(reports)),
        "expected": " or ".join(expected) or "pass",
        "refused": str(refused),
        "refused_percent": percent(refused, len(reports)),
        "expected_reason_percent": percent(named, len(reports)) if expected else "",
        **{reason: str(counts[reason]) for reason in REASON_TEXT},
        "confident": "" if confident is None else str(confident),
        "refused_or_uncertain_percent": ""
        if confident is None
        else percent(len(reports) - confident, len(reports)),
    }


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}"


def measure_things(name: str, shown: list[Thing], classifier: Classifier) -> Iterable[dict[str, str]]:
    policy = DecisionPolicy.from_manifest(classifier.bundle.manifest)
    seen: list[tuple[Thing, QualityReport, bool]] = []
    for thing in shown:
        report = assess(thing.pixels)
        prediction, _, _ = classifier.classify(thing.pixels)
        seen.append((thing, report, policy.decide(prediction, report).label != "uncertain"))
    groups = {"all": seen, "whole pictures": [s for s in seen if s[0].crop == "whole"]}
    if name != "drawn surfaces":
        groups["crops"] = [s for s in seen if s[0].crop != "whole"]
    for picture in sorted({s[0].picture for s in seen}):
        groups[picture] = [s for s in seen if s[0].picture == picture]
    for what, members in groups.items():
        confident = sum(c for _, _, c in members)
        yield row(name, what, (NOT_SKIN,), [report for _, report, _ in members], confident)


def drawn_surfaces() -> list[Thing]:
    rng = np.random.default_rng(SEED)
    return [Thing(name, "whole", draw(rng)) for name, draw in SURFACES.items() for _ in range(40)]


def tell(line: dict[str, str]) -> None:
    named = line["expected_reason_percent"] and f"  named {line['expected_reason_percent']:>6} %"
    unsure = line["refused_or_uncertain_percent"]
    unsure = unsure and f"  refused or uncertain {unsure:>6} %"
    what = f"{line['dataset']:30} {line['condition']:36} {line['images']:>5}"
    print(f"{what}  refused {line['refused_percent']:>6} %{named}{unsure}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = Path(os.environ.get("SKIN_EDGE_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--images", type=int, default=800, help="how many of each set are spoiled")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "quality_gate.csv")
    options = parser.parse_args()
    found, rng = Lesions.find(options.data), np.random.default_rng(SEED)
    rows: list[dict[str, str]] = []

    def keep(measured: Iterable[dict[str, str]]) -> None:
        for line in measured:
            rows.append(line)
            tell(line)

    classifier = Classifier.load(default_bundle_path(), trusted=True)
    for name, shown in (
        ("other things, held out", list(things(MEASURING))),
        ("other things, fitted on", list(things(FITTING))),
        ("drawn surfaces", drawn_surfaces()),
    ):
        keep(measure_things(name, shown, classifier))
    for name, paths, spoiled in (
        ("HAM10000, held out", found.ham[1], options.images),
        ("melanoma10k, held out", found.melanoma10k[1], options.images // 4),
        ("Kaggle benign/malignant, test", found.kaggle_test, options.images // 4),
    ):
        order = [paths[i] for i in rng.permutation(len(paths))]
        malignant = [path.stem in found.malignant for path in order]
        keep(measure(name, [read_image(path) for path in order], malignant, spoiled))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
