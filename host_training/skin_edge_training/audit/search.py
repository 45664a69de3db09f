"""The generous half of the search: pictures of which one looks like the other, or a part of it, at 16 px.

Each picture is entered in all eight orientations and asked for with its whole frame and with a grid of crops
of it, as neighbours among low-frequency DCTs of the band-passed frame, in faiss (Douze et al. 2024). A
crop never falls on the grid, so each hit is moved and stretched to its best fit in one Gauss-Newton step
on the descriptors themselves (Lucas & Kanade 1981) before it is judged. `verify` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import cv2
import faiss
import numpy as np
import numpy.typing as npt
import scipy.fft

from skin_edge_training.audit.frames import FRAME_PX, ORIENTATIONS, FloatArray, Int8Array, orient

#: Wraps a range and says what is being done, as it is consumed.
Progress = Callable[[range, str], Iterable[int]]

THUMBNAIL_PX = 16
DESCRIPTOR_DIMENSIONS = 96
#: Side of a crop as a part of the frame, and how many of them lie along each axis.
CROP_GRID = ((0.95, 2), (0.88, 3), (0.80, 3), (0.73, 4))
NEIGHBOURS = 9
#: Cosine before and after the fit from which on a neighbour is worth a closer look.
MIN_COSINE = 0.55
MIN_FITTED_COSINE = 0.76
#: Of one picture's neighbours over all its crops this many go on, the most alike first.
MAX_CANDIDATES = 60
#: Up to this many entries the search is exact; beyond, inverted lists and product quantisation.
EXACT_ENTRIES = 30_000
LISTS = 1024
PROBES = 32
SEED = 20241106
#: Keeps the fit near the grid: weights on shift (x, y) and stretch (x, y), in thumbnail px.
RIDGE = (0.1, 0.1, 0.3, 0.3)
CHUNK = 128


@dataclass(frozen=True, slots=True)
class Candidates:
    """Hypotheses "the view of `a` shows what `b`, oriented, shows".

    Attributes:
        a, b: (M,) picture numbers.
        box: (M, 4) x, y, width and height of the view of `a`, as parts of its frame.
        orientation: (M,) 0 to 7, of `b`.
        score: (M,) cosine of the descriptors after the fit.
    """

    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    box: npt.NDArray[np.float32]
    orientation: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: npt.NDArray[np.intp]) -> Candidates:
        """Return the chosen rows."""
        return Candidates(
            self.a[rows], self.b[rows], self.box[rows], self.orientation[rows], self.score[rows]
        )


def join(parts: list[Candidates]) -> Candidates:
    """Return the rows of all parts."""
    return Candidates(
        np.concatenate([p.a for p in parts]),
        np.concatenate([p.b for p in parts]),
        np.concatenate([p.box for p in parts]),
        np.concatenate([p.orientation for p in parts]),
        np.concatenate([p.score for p in parts]),
    )


def views() -> npt.NDArray[np.float32]:
    """Return (V, 3) x, y and side of the views that a picture is asked for with; the first is the whole."""
    boxes = [(0.0, 0.0, 1.0)]
    for side, count in CROP_GRID:
        offsets = np.linspace(0.0, 1.0 - side, count)
        boxes += [(float(x), float(y), side) for y in offsets for x in offsets]
    return np.array(boxes, np.float32)


def cut(frame: Int8Array, box: npt.NDArray[np.float32], size_px: int) -> FloatArray:
    """Return the view `box` of a frame, (size_px, size_px) float32."""
    x, y, side = (round(float(v) * FRAME_PX) for v in box)
    part = np.asarray(frame[y : y + side, x : x + side], np.float32)
    return np.asarray(cv2.resize(part, (size_px, size_px), interpolation=cv2.INTER_AREA), np.float32)


def shrink(frames: Int8Array, size_px: int) -> FloatArray:
    """Return (N, size_px, size_px) float32 of (N, 96, 96) frames."""
    whole = views()[0]
    small = np.empty((len(frames), size_px, size_px), np.float32)
    for out, frame in zip(small, frames, strict=True):
        out[:] = cut(frame, whole, size_px)
    return small


def dct_basis() -> FloatArray:
    """Return (256, 96) float32: the lowest DCT-II vectors of a 16 px square, without the mean."""
    one = scipy.fft.dct(np.eye(THUMBNAIL_PX), axis=0, norm="ortho")
    u, v = (axis.ravel() for axis in np.indices((THUMBNAIL_PX, THUMBNAIL_PX)))
    order = np.argsort(u**2 + v**2, kind="stable")[1 : DESCRIPTOR_DIMENSIONS + 1]
    vectors = [np.outer(one[u[k]], one[v[k]]).ravel() for k in order]
    return np.stack(vectors, axis=1).astype(np.float32)


def project(thumbnails: npt.NDArray[np.float32], basis: FloatArray) -> FloatArray:
    """Return (N, 96) float32 descriptors, not normalised, of (N, 16, 16) thumbnails."""
    return np.asarray(np.ascontiguousarray(thumbnails).reshape(len(thumbnails), -1) @ basis, np.float32)


def lengths(rows: FloatArray) -> FloatArray:
    """Return (N, 1) float32 lengths, never 0."""
    return np.asarray(np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6), np.float32)


def find_candidates(frames: Int8Array, pool: Executor, progress: Progress) -> Candidates:
    """Return the pairs of (N, 96, 96) coarse frames worth a closer look, a != b."""
    catalogue = Catalogue(frames)
    chunks = [np.arange(s, min(len(frames), s + CHUNK)) for s in range(0, len(frames), CHUNK)]
    found = pool.map(catalogue.ask, chunks)
    return join([part for _, part in zip(progress(range(len(chunks)), "search"), found, strict=True)])


class Catalogue:
    """All pictures in all orientations, ready to be asked which of them look like views of a picture."""

    def __init__(self, frames: Int8Array) -> None:
        self._frames, self._boxes, self._basis = frames, views(), dct_basis()
        whole = shrink(frames, THUMBNAIL_PX)
        entries = np.concatenate([project(orient(whole, o), self._basis) for o in range(ORIENTATIONS)])
        self._entries: FloatArray = np.asarray(entries / lengths(entries), np.float32)
        self._index = build_index(self._entries)

    def ask(self, rows: npt.NDArray[np.intp]) -> Candidates:
        """Return the most likely partners of some pictures."""
        faiss.omp_set_num_threads(1)  # of this thread; the pool is what fills the cores
        count, boxes, basis = len(self._frames), self._boxes, self._basis
        asked = np.repeat(rows, len(boxes))
        thumbnails = np.stack([cut(self._frames[r], box, THUMBNAIL_PX) for r in rows for box in boxes])
        thumbnails /= lengths(project(thumbnails, basis))[:, :, None]
        questions = project(thumbnails, basis)
        scores, hits = self._index.search(questions, min(NEIGHBOURS, len(self._entries)))
        query, rank = np.nonzero((hits >= 0) & (hits % count != asked[:, None]) & (scores >= MIN_COSINE))
        hit = hits[query, rank]
        # Only the views that found something are fitted.
        used, inverse = np.unique(query, return_inverse=True)
        cosine, fit = fit_to(thumbnails[used], questions[used], basis, self._entries[hit], inverse)
        box = moved(boxes[query % len(boxes)], fit)
        proposed = Candidates(asked[query], hit % count, box, hit // count, cosine)
        return best_of(proposed.take(np.flatnonzero(cosine >= MIN_FITTED_COSINE)))


def build_index(entries: FloatArray) -> faiss.Index:
    """Return a faiss inner-product index of the entries; exact where they are few."""
    dimensions = entries.shape[1]
    if len(entries) <= EXACT_ENTRIES:
        exact = faiss.IndexFlatIP(dimensions)
        exact.add(entries)
        return exact
    index: Any = faiss.index_factory(  # its kind depends on the string
        dimensions, f"IVF{LISTS},PQ{dimensions // 2}x4fsr,RFlat", faiss.METRIC_INNER_PRODUCT
    )
    lists = faiss.extract_index_ivf(index)
    lists.cp.niter, lists.cp.seed = 8, SEED
    index.train(entries[np.random.default_rng(SEED).permutation(len(entries))[: 40 * LISTS]])
    index.add(entries)
    lists.nprobe = PROBES
    index.k_factor = 8.0
    built: faiss.Index = index
    return built


def fit_to(
    thumbnails: FloatArray,
    questions: FloatArray,
    basis: FloatArray,
    answers: FloatArray,
    asked: npt.NDArray[np.intp],
) -> tuple[FloatArray, FloatArray]:
    """Shift and stretch views, to first order, until they look most like what was found.

    Args:
        thumbnails: (Q, 16, 16) of the views, scaled to unit descriptors.
        questions: (Q, 96) those descriptors.
        basis: of the descriptors.
        answers: (M, 96) unit descriptors that were found.
        asked: (M,) which question each answers.

    Returns:
        (M,) cosines after the fit, (M, 4) shift (x, y) and stretch (x, y) in thumbnail px.
    """
    down, across = np.gradient(thumbnails, axis=(1, 2))
    place = ((np.arange(THUMBNAIL_PX) + 0.5) / THUMBNAIL_PX * 2 - 1).astype(np.float32)
    changes = np.stack([across, down, place[None, None, :] * across, place[None, :, None] * down], axis=1)
    flat = np.asarray(changes.reshape(len(changes), len(RIDGE), THUMBNAIL_PX**2), np.float32)
    model = np.concatenate([questions[:, None, :], flat @ basis], axis=1)
    gram = model @ model.swapaxes(1, 2) + np.diag((1e-6, *RIDGE)).astype(np.float32)
    solver = np.linalg.solve(gram, model)
    weights = np.empty((len(answers), model.shape[1]), np.float32)
    cosine = np.empty(len(answers), np.float32)
    for start in range(0, len(answers), 8192):
        part = slice(start, start + 8192)
        which, answer = asked[part], answers[part]
        weights[part] = (solver[which] @ answer[:, :, None])[:, :, 0]
        fitted = (weights[part, None, :] @ model[which])[:, 0]
        cosine[part] = (fitted * answer).sum(axis=1) / lengths(fitted)[:, 0]
    return cosine, np.asarray(weights[:, 1:] / np.maximum(weights[:, :1], 0.1), np.float32)


def moved(boxes: FloatArray, fit: FloatArray) -> FloatArray:
    """Return (M, 4) x, y, width, height of (M, 3) views after a fit of at most 2 px each way."""
    shift, stretch = np.clip(fit[:, :2], -2, 2), np.clip(fit[:, 2:], -1, 1)
    side = boxes[:, 2:]
    corner = boxes[:, :2] + side * (shift - stretch) / THUMBNAIL_PX
    return np.concatenate([corner, side * (1 + 2 * stretch / THUMBNAIL_PX)], axis=1).astype(np.float32)


def best_of(candidates: Candidates) -> Candidates:
    """Keep the best view of each (a, b, orientation), and of those the most alike of each `a`."""
    order = np.lexsort((-candidates.score, candidates.orientation, candidates.b, candidates.a))
    ranked = candidates.take(order)
    key = np.stack([ranked.a, ranked.b, ranked.orientation], axis=1)
    first = np.ones(len(ranked), bool)
    first[1:] = (key[1:] != key[:-1]).any(axis=1)
    ranked = ranked.take(np.flatnonzero(first))
    ranked = ranked.take(np.lexsort((-ranked.score, ranked.a)))
    _, starts, counts = np.unique(ranked.a, return_index=True, return_counts=True)
    rank = np.arange(len(ranked)) - np.repeat(starts, counts)
    return ranked.take(np.flatnonzero(rank < MAX_CANDIDATES))
