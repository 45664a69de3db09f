"""Pictures of one lesion that the metadata lists as two: found by how alike they look.

Each picture becomes a small grey thumbnail with its mean removed and unit length, in the eight
orientations of the square; the cosine between two of them is their correlation. Neighbours above a
threshold are joined with the lesion ids into groups, and groups are what a split may not tear apart.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from skin_edge_training.data.decoded import Uint8Array

COARSE_PX, FINE_PX = 16, 48


def thumbnails(pictures: Uint8Array, size_px: int) -> npt.NDArray[np.float32]:
    """Return (N, size_px, size_px) float32: grey central squares, zero mean, unit length."""
    height, width = pictures.shape[1:3]
    left = (width - height) // 2
    small = np.empty((len(pictures), size_px, size_px), np.float32)
    for index, picture in enumerate(pictures):
        grey = cv2.cvtColor(picture[:, left : left + height], cv2.COLOR_RGB2GRAY)
        small[index] = cv2.resize(grey, (size_px, size_px), interpolation=cv2.INTER_AREA)
    small -= small.mean(axis=(1, 2), keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=(1, 2), keepdims=True), 1e-6)
    return small


def orientations(images: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return the eight orientations (rotations and reflections) of (N, S, S) images."""
    turned = [np.rot90(images, k, axes=(1, 2)) for k in range(4)]
    return turned + [t[:, :, ::-1] for t in turned]


def find_twins(pictures: Uint8Array, similarity: float) -> pd.DataFrame:
    """Return pairs (a, b, similarity) with a < b of pictures that look the same in some orientation.

    Args:
        pictures: (N, 150, 200, 3) uint8.
        similarity: correlation of the fine thumbnails from which on two pictures are twins.
    """
    coarse, fine = thumbnails(pictures, COARSE_PX), thumbnails(pictures, FINE_PX)
    index = NearestNeighbors(metric="euclidean", algorithm="brute").fit(coarse.reshape(len(coarse), -1))
    # Unit vectors: |a - b|^2 = 2 - 2 cos. The coarse search is generous, the fine comparison decides.
    radius = float(np.sqrt(2 - 2 * (similarity - 0.02)))
    best: dict[tuple[int, int], float] = {}
    fine_turned = orientations(fine)
    for turn, turned in enumerate(orientations(coarse)):
        found = index.radius_neighbors(turned.reshape(len(turned), -1), radius, return_distance=False)
        for a, neighbours in enumerate(found):
            for b in neighbours[neighbours > a]:
                alike = float(np.vdot(fine_turned[turn][a], fine[b]))
                if alike >= similarity:
                    pair = (a, int(b))
                    best[pair] = max(alike, best.get(pair, 0.0))
    rows = [(a, b, alike) for (a, b), alike in sorted(best.items())]
    return pd.DataFrame(rows, columns=["a", "b", "similarity"])


def group_lesions(lesion_ids: pd.Series, twins: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return (N,) group numbers, shared by pictures of one lesion id and by twins, transitively."""
    count = len(lesion_ids)
    first = lesion_ids.groupby(lesion_ids).transform(lambda ids: ids.index[0]).to_numpy()
    rows = np.concatenate([np.arange(count), twins["a"].to_numpy(np.int64)])
    return connected(count, rows, np.concatenate([first, twins["b"].to_numpy(np.int64)]))


def connected(
    count: int, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return (count,) numbers of the connected components that the edges rows[i] - columns[i] make."""
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    components: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return components
