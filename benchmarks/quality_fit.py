"""Fit the scores `not_skin` and `no_lesion` of the quality gate, and write their table.

    python benchmarks/quality_fit.py [--data DIR] [--out device/skin_edge/quality/likeness.json]

Reads HAM10000, melanoma10k (each the fitting half) and the fitting half of the pictures in
`quality_pictures.py`. A minute or two. Then `benchmarks/quality_gate.py` measures, on the other halves.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pictures import FITTING, Lesions, read_some, things
from quality_spoil import bare_skin, central, hue_turned, inverted, magnified, mirrored, toned

from skin_edge.quality.likeness import TABLE
from skin_edge.quality.scene import FIGURES, scene_figures, scene_square
from skin_edge.quality.working import working_square

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260102
Rgb = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

#: Percentile of the fitting half of HAM10000 at which each score has its zero.
LIMITS = {"thing": 99.5, "hue": 99.6, "negative": 99.8, "bare_skin": 99.6}

#: How much each class's own distance counts: half for things, of which there are too many kinds for one
#: Gaussian, and more for recoloured skin, which is the same pictures again.
SHARE = {"thing": 0.5, "hue": 1.3, "negative": 1.3, "bare_skin": 1.0}


def figures(pictures: list[Rgb]) -> Doubles:
    return np.array([scene_figures(scene_square(working_square(picture))) for picture in pictures])


def gaussian(groups: list[Doubles], weights: list[float]) -> tuple[Doubles, Doubles]:
    """Mean and inverse covariance of samples of which each group counts by its weight, whatever its size."""
    samples = np.concatenate(groups)
    each = np.concatenate([np.full(len(g), w / len(g)) for g, w in zip(groups, weights, strict=True)])
    mean = np.average(samples, axis=0, weights=each)
    covariance = np.cov(samples.T, aweights=each) + 1e-4 * np.eye(samples.shape[1])
    return mean, np.linalg.inv(covariance)


def difference(
    lesion: tuple[Doubles, Doubles], other: tuple[Doubles, Doubles], share: float
) -> tuple[Doubles, Doubles, float]:
    """Squared distance to `lesion` less `share` of that to `other`, as x'Ax + b'x + c."""
    (mean, inverse), (other_mean, other_inverse) = lesion, other
    return (
        inverse - share * other_inverse,
        -2.0 * inverse @ mean + 2.0 * share * other_inverse @ other_mean,
        float(mean @ inverse @ mean - share * other_mean @ other_inverse @ other_mean),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = Path(os.environ.get("SKIN_EDGE_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    found = Lesions.find(options.data)
    ham = [central(picture) for picture in read_some(found.ham[0], None, rng)]
    malignant = np.array([path.stem in found.malignant for path in found.ham[0]])
    other = [central(picture) for picture in read_some(found.melanoma10k[0], None, rng)]
    print(f"{len(ham)} pictures of HAM10000, {len(other)} of melanoma10k")

    plain = figures(ham)
    darker = figures([toned(0.0, 2.0, 0.25)(picture, rng) for picture in ham])
    # Malignant lesions are a fifth of the set, larger and of more contrast: they count as much as the rest.
    lesion = gaussian([plain, plain[malignant], darker, figures(other)], [1.0, 2.0, 1.0, 2.0])
    some = [ham[i] for i in rng.choice(len(ham), min(2000, len(ham)), replace=False)]
    patches = [p for picture in some + other[::2] if (p := bare_skin(picture, rng)) is not None]
    turn = hue_turned(90, 270)
    classes = {
        "thing": [figures([thing.pixels for thing in things(FITTING)])],
        "hue": [figures([turn(picture, rng) for picture in some])],
        "negative": [figures([inverted(picture, rng) for picture in some])],
        "bare_skin": [
            figures([mirrored(patch, 3 * len(patch)) for patch in patches]),
            figures([magnified(patch, 3 * len(patch)) for patch in patches]),
        ],
    }
    table: dict[str, object] = {"figures": list(FIGURES)}
    upper = np.triu_indices(len(FIGURES))
    for name, groups in classes.items():
        square, linear, constant = difference(lesion, gaussian(groups, [1.0] * len(groups)), SHARE[name])
        scores = np.einsum("ij,jk,ik->i", plain, square, plain) + plain @ linear + constant
        limit = float(np.percentile(scores, LIMITS[name]))
        print(f"{name}: {sum(map(len, groups))} pictures, limit at {limit:.2f}")
        # Off the diagonal, the upper triangle stands for both halves.
        halves = np.where(upper[0] == upper[1], 1.0, 2.0) * square[upper]
        table[name] = {
            "square": [float(f"{value:.6g}") for value in halves],
            "linear": [float(f"{value:.6g}") for value in linear],
            "constant": round(constant - limit, 4),
        }
    options.out.write_text(json.dumps(table, indent=1).replace(",\n   ", ", ") + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
