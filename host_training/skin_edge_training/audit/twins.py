"""All pairs of pictures that show the same photograph, and those that show the same lesion in another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from skin_edge_training.audit.frames import ORIENTATIONS, Frames, Uint8Array
from skin_edge_training.audit.search import Progress, find_candidates
from skin_edge_training.audit.verify import (
    Alignment,
    Hypothesis,
    Verifier,
    Warp,
    best_hypotheses,
    plausible,
)

#: Agreement of the fine structure from which on two pictures are one photograph, even if it was scanned
#: twice and lies a few degrees askew; see docs/audit.md for how the bounds were found.
TWIN_AGREEMENT = 0.90
#: So much is enough where the one is not askew in the other at all: what a file format, another size or a
#: crop do to a picture never turns it by a degree, and a second photograph nearly always is turned.
UPRIGHT_AGREEMENT = 0.80
MAX_UPRIGHT_SKEW = 0.006
#: From here on they are at least photographs of one lesion.
SIBLING_AGREEMENT = 0.75
#: A corner of the frame that lies further off than this part of its side makes a pair a crop.
SAME_FRAMING = 0.02
#: Pictures that all show one photograph: beyond this many, pairs are not completed among each other.
MAX_COMPLETED = 60
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, a < b.

    Attributes:
        kind: `exact` (same bytes or same pixels), `near` (same framing, however turned, scaled or
            coded), `crop` (one shows a part of the other, or both share a part) or `sibling` (another
            photograph of what looks like the same lesion).
        similarity: 0 to 1, agreement of the fine structure.
    """

    a: int
    b: int
    kind: str
    similarity: float


def find_pairs(
    greys: Sequence[Uint8Array], digests: Sequence[Sequence[str]], progress: Progress, workers: int = 2
) -> list[Pair]:
    """Return all pairs among N pictures, in the order of (a, b).

    Args:
        greys: N of (96, 96) uint8, see `frames.squash`.
        digests: for each picture its digests (of bytes, of pixels); one in common makes a pair exact.
        progress: shows how far it has come.
        workers: threads; OpenCV works outside the interpreter's lock.
    """
    copies = exact_copies(digests)
    first = [members[0] for members in copies]
    pairs = [Pair(a, b, "exact", 1.0) for members in copies for a, b in combinations(members, 2)]
    if len(first) > 1:
        for found in compare([greys[row] for row in first], progress, workers):
            kind = kind_of(found)
            for a, b in product(copies[found.a], copies[found.b]):
                pairs.append(Pair(min(a, b), max(a, b), kind, found.agreement))
    return sorted(pairs, key=lambda pair: (pair.a, pair.b))


def exact_copies(digests: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the pictures, those that share a digest together, in the order of their first."""
    group: dict[str, int] = {}
    copies: dict[int, list[int]] = {}
    for row, names in enumerate(digests):
        known = next((group[name] for name in names if name in group), row)
        for name in names:
            group.setdefault(name, known)
        copies.setdefault(known, []).append(row)
    return list(copies.values())


def compare(greys: Sequence[Uint8Array], progress: Progress, workers: int) -> list[Alignment]:
    """Return the alignments of all pairs of distinct pictures that reach `SIBLING_AGREEMENT`."""
    with ThreadPoolExecutor(workers) as pool:
        frames = Frames.of(greys, pool)
        verifier = Verifier(frames)
        candidates = find_candidates(frames.coarse, pool, progress)
        chunks = [range(s, min(len(candidates), s + CHUNK)) for s in range(0, len(candidates), CHUNK)]
        kept = pool.map(lambda rows: verifier.weed_out(candidates, rows), chunks)
        shown = progress(range(len(chunks)), "compare")
        hypotheses = best_hypotheses(one for _, part in zip(shown, kept, strict=True) for one in part)
        found = confirmed(verifier.measure, hypotheses, pool, progress, "confirm")
        more = missing_sides(found)
        closer = [one for one in map(verifier.closer, more) if one.correlation > 0]
        found += confirmed(verifier.measure, closer, pool, progress, "complete")
    return found


def confirmed(
    measure: Callable[[Hypothesis], Alignment],
    hypotheses: Sequence[Hypothesis],
    pool: ThreadPoolExecutor,
    progress: Progress,
    description: str,
) -> list[Alignment]:
    """Return the alignments of the hypotheses that hold."""
    results = pool.map(measure, hypotheses)
    shown: Iterable[int] = progress(range(len(hypotheses)), description)
    found = (result for _, result in zip(shown, results, strict=True))
    return [one for one in found if one.agreement >= SIBLING_AGREEMENT]


def is_twin(found: Alignment) -> bool:
    """Whether two pictures are one photograph."""
    upright = found.skew <= MAX_UPRIGHT_SKEW
    return found.agreement >= (UPRIGHT_AGREEMENT if upright else TWIN_AGREEMENT)


def kind_of(found: Alignment) -> str:
    """Return `near`, `crop` or `sibling`."""
    if not is_twin(found):
        return "sibling"
    corners = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    off = np.abs(corners @ found.warp.T - corners[:, :2]).max()
    return "near" if off <= SAME_FRAMING else "crop"


def missing_sides(found: Sequence[Alignment]) -> list[Hypothesis]:
    """Return the third sides of open triangles: where b is in a and c is in b, c may be in a."""
    twins = [one for one in found if is_twin(one)]
    known = {(min(one.a, one.b), max(one.a, one.b)) for one in found}
    maps: dict[int, dict[int, Warp]] = defaultdict(dict)
    for one in twins:
        into_a = compose(one.warp, inverse(turned_to_plain(one.orientation)))
        maps[one.a][one.b] = into_a
        maps[one.b][one.a] = inverse(into_a)
    hypotheses = []
    for middle, outer in maps.items():
        for a, c in combinations(sorted(outer)[:MAX_COMPLETED], 2):
            if (a, c) in known:
                continue
            known.add((a, c))
            direct = compose(maps[a][middle], maps[middle][c])
            options = [(o, compose(direct, turned_to_plain(o))) for o in range(ORIENTATIONS)]
            orientation, warp = max(options, key=lambda option: float(np.trace(option[1][:, :2])))
            if plausible(warp):
                hypotheses.append(Hypothesis(a, c, orientation, warp, 1.0))
    return hypotheses


def turned_to_plain(orientation: int) -> Warp:
    """Return the (2, 3) map of the unit square from an oriented frame to the frame it was made of."""
    plain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    quarter = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, 0.0]])
    mirror = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    for _ in range(orientation % 4):
        plain = compose(plain, quarter)
    return compose(plain, mirror) if orientation >= 4 else plain


def compose(outer: Warp, inner: Warp) -> Warp:
    """Return the map that does `inner` first."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def inverse(warp: Warp) -> Warp:
    """Return the map that undoes `warp`."""
    back = np.linalg.inv(warp[:, :2])
    return np.column_stack([back, -back @ warp[:, 2]])
