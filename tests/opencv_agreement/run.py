"""Do the stages give the same pictures under OpenCV 4.x and 5.x? To one grey level, or exit 1.

    python tests/opencv_agreement/run.py [--old SPEC] [--new SPEC] [--csv PATH]

Makes two throwaway environments with one OpenCV each (pip needs a network or a local index), runs every
stage alone and all together in both on drawn skin, noise and, where they are present, 200 images of
HAM10000, and prints a table; docs/results/opencv_agreement.csv is what --csv wrote. The project's `device`
folder is imported as it is; NumPy is the same in both.

The newest 4.x agrees to the bit, and so does 4.11. With `--old ==4.10.0.84` each stage alone agrees to one
grey level, but contrast enhancement after inpainting makes three of that one in a millionth of the values:
OpenCV 4.10.0 rounds sums in its inpainting differently.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MAX_DIFFERENCE = 1.0  # grey levels
COLUMNS = ("stage", "pictures", "max_difference", "share_differing", "old_opencv", "new_opencv")


def main() -> int:
    """Return 0 where both versions agree on every stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", default=">=4.10,<5", help="versions of opencv-python-headless on one side")
    parser.add_argument("--new", default=">=5,<6", help="and on the other")
    parser.add_argument("--csv", type=Path, help="write the table here as well")
    args = parser.parse_args()
    data = Path(os.environ.get("SKIN_EDGE_DATA") or ROOT.parent / "shared" / "data")
    images = data / "ham10000" / "images"
    if not images.is_dir():
        _say(f"no {images}: comparing on drawn pictures only")
    with tempfile.TemporaryDirectory(prefix="opencv-agreement-") as folder:
        work = Path(folder)
        old = _make_environment(work / "old", args.old)
        new = _make_environment(work / "new", args.new)
        _run(new, HERE / "pictures.py", work / "inputs.npz", images)
        for python, side in ((old, "old"), (new, "new")):
            _run(python, HERE / "dump.py", work / "inputs.npz", work / f"{side}.npz")
        listing = _run(new, HERE / "compare.py", work / "old.npz", work / "new.npz")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(listing.splitlines())]
    _print_table(rows)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    worst = max(float(row["max_difference"]) for row in rows)
    verdict = "agree" if worst <= MAX_DIFFERENCE else "DISAGREE"
    _say(f"{verdict}: largest difference {worst:g} grey levels, allowed {MAX_DIFFERENCE:g}")
    return 0 if worst <= MAX_DIFFERENCE else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _make_environment(folder: Path, opencv: str) -> Path:
    _say(f"making an environment with opencv-python-headless{opencv}")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = [f"opencv-python-headless{opencv}", "numpy", "msgspec>=0.19,<1", "pyyaml>=6.0.1"]
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *packages],
        check=True,
    )
    return python


def _run(python: Path, script: Path, *args: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "device"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, script, *args], env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return done.stdout


def _print_table(rows: list[dict[str, str]]) -> None:
    _say(f"OpenCV {rows[0]['old_opencv']} and {rows[0]['new_opencv']}, {rows[0]['pictures']} pictures")
    _say(f"{'stage':<40}{'max difference':>16}{'share differing':>18}")
    for row in rows:
        _say(f"{row['stage']:<40}{row['max_difference']:>16}{row['share_differing']:>18}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"run.py: {' '.join(map(str, error.cmd))} ended with {error.returncode}")
