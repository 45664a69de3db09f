"""What an audit leaves in its folder: csv files, and one self-contained page with pictures."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from skin_edge.errors import ImageError, StorageError
from skin_edge_training.audit.audit import Audit
from skin_edge_training.audit.pictures import draw
from skin_edge_training.audit.twins import Pair
from skin_edge_training.data.readers import TRAINING_PARTS

TWIN_KINDS = ("exact", "near", "crop")
THUMBNAIL_PX = 120
#: Picture pairs shown of each kind between two sets, of conflicts and of leaks.
SHOWN = 12
#: Unreadable pictures named on the page; all are in the csv.
LISTED = 100
SEED = 20241106

GROUP_COLUMNS = ["set", "path", "image_id", "lesion_id", "label", "group"]


def write_report(found: Audit, out: Path) -> None:
    """Write pairs.csv, siblings.csv, groups.csv, shortcuts.csv, unreadable.csv and report.html into `out`.

    Raises:
        StorageError: the folder or a file cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        found.pair_table(TWIN_KINDS).to_csv(out / "pairs.csv", index=False, lineterminator="\n")
        found.pair_table(("sibling",)).to_csv(out / "siblings.csv", index=False, lineterminator="\n")
        found.table.loc[:, GROUP_COLUMNS].to_csv(out / "groups.csv", index=False, lineterminator="\n")
        found.shortcuts.to_csv(out / "shortcuts.csv", index=False, lineterminator="\n")
        found.unreadable.to_csv(out / "unreadable.csv", index=False, lineterminator="\n")
        (out / "report.html").write_text(render(found), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{out}: the report cannot be written: {error.strerror}") from error


def render(found: Audit) -> str:
    """Return the report as one html page with its pictures in it."""
    source = resources.files("skin_edge_training.audit").joinpath("report.html.j2").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    gallery = Gallery(found)
    return environment.from_string(source).render(
        summary=found.summary(),
        galleries=gallery.by_kind(),
        conflicts=gallery.conflicts(),
        leaks=gallery.leaks(),
        unreadable=found.unreadable.head(LISTED).to_dict("records"),
    )


class Gallery:
    """Chooses picture pairs and draws them."""

    def __init__(self, found: Audit) -> None:
        self._found = found
        self._rng = np.random.default_rng(SEED)
        self._drawn: dict[int, str] = {}

    def by_kind(self) -> list[dict[str, Any]]:
        """Pairs of each kind between each two sets."""
        sets = self._found.table["set"].to_numpy(object)
        kinds: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
        for pair in self._found.pairs:
            first, second = sorted((sets[pair.a], sets[pair.b]))
            kinds[first, second, pair.kind].append(pair)
        return [
            {"title": f"{a} and {b}: {kind}", "total": len(pairs), "pairs": self.sample(pairs)}
            for (a, b, kind), pairs in sorted(kinds.items())
        ]

    def conflicts(self) -> list[dict[str, str]]:
        """Pairs within the groups that carry more than one label."""
        label = self._found.table["label"].str.lower().to_numpy(object)
        return self.sample([p for p in self._found.pairs if "" != label[p.a] != label[p.b] != ""])

    def leaks(self) -> list[dict[str, Any]]:
        """For each split, pairs with one side in training and the other not."""
        shown = []
        for check in self._found.splits:
            part = check.parts.to_numpy(object)
            training = np.isin(part, list(TRAINING_PARTS))
            torn = [
                p
                for p in self._found.pairs
                if training[p.a] != training[p.b] and part[p.a] != "" and part[p.b] != ""
            ]
            shown.append({"title": check.name, "rows": check.rows, "pairs": self.sample(torn)})
        return shown

    def sample(self, pairs: Sequence[Pair]) -> list[dict[str, str]]:
        """Up to `SHOWN` of the pairs, drawn, the least alike first."""
        chosen = self._rng.permutation(len(pairs))[:SHOWN]
        ordered = sorted((pairs[k] for k in chosen), key=lambda pair: pair.similarity)
        return [
            {
                "a": self.draw(pair.a),
                "b": self.draw(pair.b),
                "name_a": self.name(pair.a),
                "name_b": self.name(pair.b),
                "kind": pair.kind,
                "similarity": f"{pair.similarity:.3f}",
            }
            for pair in ordered
        ]

    def name(self, row: int) -> str:
        """Set, path, label and lesion of a picture."""
        known = self._found.table.loc[row, ["set", "path", "label", "lesion_id"]]
        return " · ".join(text for text in known if text)

    def draw(self, row: int) -> str:
        """A picture as a data URL; empty where it has gone since it was read."""
        if row not in self._drawn:
            try:
                rgb = draw(str(self._found.table.loc[row, "file"]), THUMBNAIL_PX)
            except ImageError:
                return ""
            bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
            self._drawn[row] = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
        return self._drawn[row]
