"""Print a csv line for each stage: how far the outputs of two versions are apart; called by run.py.

python compare.py OLD.npz NEW.npz
"""

from __future__ import annotations

import csv
import sys

import numpy as np


def main() -> None:
    """Print stage, pictures, max difference (grey levels), share of differing values, both versions."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    with np.load(sys.argv[1]) as old, np.load(sys.argv[2]) as new:
        versions = [str(old["opencv"]), str(new["opencv"])]
        if old["numpy"] != new["numpy"]:
            sys.exit(f"different NumPy in the two environments: {old['numpy']} and {new['numpy']}")
        for name in old.files:
            if name in ("opencv", "numpy"):
                continue
            difference = np.abs(old[name].astype(np.float64) - new[name].astype(np.float64))
            share = np.count_nonzero(difference) / difference.size
            writer.writerow([name, len(difference), f"{difference.max():g}", f"{share:.2g}", *versions])


main()
