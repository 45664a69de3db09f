"""How well trivial figures alone tell the label, or where a picture comes from.

Two plain models on each family of figures, cross-validated by group so that a twin cannot help, the AUROC of
each fold: one-against-rest, macro-averaged, where there are more than two classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skin_edge_training.audit.search import Progress
from skin_edge_training.audit.statistics import FAMILIES

FOLDS = 5
#: More pictures than this are sampled, fewer where there are more than two classes, each of which costs a
#: model: the figure is a warning, not a benchmark.
MAX_PICTURES = 3500
#: A class with fewer groups than this cannot be cross-validated.
MIN_GROUPS = 20
SEED = 20241106

#: Which families are tried together, by name.
COMBINATIONS: dict[str, tuple[str, ...]] = {
    **{family: (family,) for family in FAMILIES},
    "colour and border": ("colour", "border"),
    "all": FAMILIES,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be told from trivial figures: (M,) classes of some pictures."""

    scope: str
    target: str
    rows: npt.NDArray[np.int64]
    classes: npt.NDArray[np.object_]


def questions(table: pd.DataFrame) -> list[Question]:
    """Return the questions a collection of sets allows: label and source in each set, set across sets."""
    asked = []
    for name, part in table.groupby("set", sort=False):
        for target in ("label", "source"):
            known = part.loc[part[target] != "", target]
            asked.append(Question(str(name), target, known.index.to_numpy(np.int64), known.to_numpy(object)))
    asked.append(Question("all sets", "set", table.index.to_numpy(np.int64), table["set"].to_numpy(object)))
    return asked


def measure_shortcuts(
    table: pd.DataFrame,
    statistics: pd.DataFrame,
    groups: npt.NDArray[np.int64],
    progress: Progress,
    workers: int,
) -> pd.DataFrame:
    """Return one row for each question, family of figures and model.

    Columns: scope, target, classes, pictures, figures, model, auroc, spread (standard deviation over folds).
    A question whose classes are too few or too small to cross-validate has no row.
    """
    usable = [q for q in (without_rare_classes(q, groups) for q in questions(table)) if q is not None]
    tasks = [(q, name, model) for q in usable for name in COMBINATIONS for model in ("logistic", "boosting")]
    rows: list[dict[str, Any]] = []
    family = np.array([column.split(".")[0] for column in statistics.columns])
    figures = statistics.to_numpy(np.float64)

    def score(task: tuple[Question, str, str]) -> list[float]:
        question, name, model = task
        features = figures[np.ix_(question.rows, np.flatnonzero(np.isin(family, COMBINATIONS[name])))]
        return fold_aurocs(features, question.classes, groups[question.rows], model)

    shown: Iterable[int] = progress(range(len(tasks)), "shortcuts")
    # One thread a fit: on a busy machine OpenMP's own threads wait for each other most of the time.
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        results = [folds for _, folds in zip(shown, pool.map(score, tasks), strict=True)]
    for (question, name, model), folds in zip(tasks, results, strict=True):
        rows.append(
            {
                "scope": question.scope,
                "target": question.target,
                "classes": len(set(question.classes)),
                "pictures": len(question.rows),
                "figures": name,
                "model": model,
                "auroc": round(float(np.mean(folds)), 4),
                "spread": round(float(np.std(folds)), 4),
            }
        )
    names = ["scope", "target", "classes", "pictures", "figures", "model", "auroc", "spread"]
    return pd.DataFrame(rows, columns=names)


def without_rare_classes(question: Question, groups: npt.NDArray[np.int64]) -> Question | None:
    """Return the question on some pictures of its larger classes; None where fewer than two are left."""
    classes = pd.Series(question.classes, index=question.rows)
    wide = pd.Series(groups[question.rows], index=question.rows).groupby(classes).nunique()
    classes = classes[classes.isin(wide.index[wide >= MIN_GROUPS])]
    if classes.nunique() < 2:
        return None
    most = 2 * MAX_PICTURES // (classes.nunique() if classes.nunique() > 2 else 2)
    if len(classes) > most:
        classes = classes.sample(most, random_state=SEED).sort_index()
    rows = classes.index.to_numpy(np.int64)
    return Question(question.scope, question.target, rows, classes.to_numpy(object))


def fold_aurocs(
    features: npt.NDArray[np.float64],
    classes: npt.NDArray[np.object_],
    groups: npt.NDArray[np.int64],
    model: str,
) -> list[float]:
    """Return the AUROC of each fold."""
    names, target = np.unique(classes.astype(str), return_inverse=True)
    dealer = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    scores = []
    for train, test in dealer.split(features, target, groups):
        fitted = make_model(model).fit(features[train], target[train])
        probability = fitted.predict_proba(features[test])
        if len(names) == 2:
            scores.append(float(roc_auc_score(target[test], probability[:, 1])))
        else:
            per_class = [
                roc_auc_score(target[test] == number, probability[:, number])
                for number in range(len(names))
                if 0 < (target[test] == number).sum() < len(test)
            ]
            scores.append(float(np.mean(per_class)))
    return scores


def make_model(name: str) -> Any:
    """Return an unfitted scikit-learn classifier."""
    if name == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=500))
    return HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.15, max_leaf_nodes=12, max_bins=63, random_state=SEED
    )
