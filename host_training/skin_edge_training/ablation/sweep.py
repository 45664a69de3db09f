"""Train every arm once a seed: on a Ray cluster where Ray is installed, else in processes of this machine.

joblib runs both, by the same call. A job's folder holds result.json once it is done, so a sweep goes on where
it was interrupted. On a cluster the output, the cache and the pictures must lie on a file system that all
nodes see; RAY_ADDRESS names the cluster.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import msgspec
from joblib import Parallel, delayed, parallel_config

from skin_edge.strict import convert, dump_yaml, parse_yaml
from skin_edge_training.ablation.plan import BASE, Ablation, changed
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.run import Run

logger = logging.getLogger(__name__)

RAY, LOCAL = "ray", "loky"


@dataclass(frozen=True, slots=True)
class Job:
    """One training: an arm under one seed.

    Attributes:
        arm, factor, seed: what it is.
        experiment: the experiment with that seed, as YAML: a worker of another version refuses what it does
            not know, where a pickled structure would be taken apart by position.
        directory: its run, at OUT/arms/ARM-SEED.
        data: the prepared run whose table and split it shares.
        cache: folder for decoded pictures and teachers' logits.
        threads: of TensorFlow.
    """

    arm: str
    factor: str
    seed: int
    experiment: str
    directory: Path
    data: Path
    cache: Path
    threads: int

    @property
    def config(self) -> ExperimentConfig:
        """The experiment with that seed."""
        return convert(parse_yaml(self.experiment), ExperimentConfig)

    @property
    def done(self) -> bool:
        """Whether its result is there, and is of this very experiment."""
        run = Run(self.directory)
        return run.path("result.json").exists() and run.config() == self.config


def plan_jobs(plan: Ablation, base: ExperimentConfig, out: Path, cache: Path, threads: int) -> list[Job]:
    """Return all jobs of a sweep, the base's first."""
    jobs = []
    everyone = sorted({seed for arm in plan.arms for seed in arm.seeds or plan.seeds} | set(plan.seeds))
    named = [(BASE, "none", base, tuple(everyone))]
    for arm in plan.arms:
        config = changed(base, arm.change, f"arm {arm.name}")
        named.append((arm.name, arm.factor, config, arm.seeds or plan.seeds))
    for name, factor, config, seeds in named:
        for seed in seeds:
            own = dump_yaml(msgspec.structs.replace(config, seed=seed))
            folder = (out / "arms" / f"{name}-{seed}").resolve()
            jobs.append(
                Job(name, factor, seed, own, folder, (out / "data").resolve(), cache.resolve(), threads)
            )
    return jobs


def sweep(jobs: Sequence[Job], workers: int, backend: str | None = None) -> str:
    """Run the jobs whose result is not there; return which backend did.

    Args:
        jobs: from `plan_jobs`.
        workers: jobs at once.
        backend: `RAY` or `LOCAL`; None takes Ray where it is installed.

    Raises:
        ModelError, UsageError: of a job, as `train_student` raises them.
    """
    backend = backend or (RAY if importlib.util.find_spec("ray") else LOCAL)
    waiting = [job for job in jobs if not job.done]
    logger.info("%d of %d trainings to do, %d at once, %s", len(waiting), len(jobs), workers, backend)
    if waiting:
        with _ray() if backend == RAY else nullcontext(), parallel_config(backend=backend, n_jobs=workers):
            Parallel(batch_size=1, verbose=10)(delayed(run_job)(job) for job in waiting)
    return backend


@contextmanager
def _ray() -> Iterator[None]:
    """Let joblib know Ray; what Ray prints of its nodes and workers goes to stderr, none of it after this."""
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    with redirect_stdout(sys.stderr):
        try:
            yield
        finally:
            ray.shutdown()


def run_job(job: Job) -> None:
    """Train one arm, convert it, and write validation.csv, student.tflite and result.json."""
    # Before TensorFlow is imported: two jobs on two cores go further with a thread each.
    os.environ.update(
        TF_NUM_INTRAOP_THREADS=str(job.threads), TF_NUM_INTEROP_THREADS="1", TF_CPP_MIN_LOG_LEVEL="2"
    )
    import numpy as np

    from skin_edge.model.runtime import Network
    from skin_edge.preprocess.pipeline import Preprocessor
    from skin_edge_training.convert import to_tflite_fp16
    from skin_edge_training.data.batches import plain_inputs
    from skin_edge_training.prepare import load_decoded
    from skin_edge_training.train import train_student

    started, config = time.monotonic(), job.config
    job.directory.mkdir(parents=True, exist_ok=True)
    run = Run(job.directory)
    if not run.path("config.yaml").exists() or run.config() != config:
        for name in ("checkpoint", "history.csv", "result.json"):
            shutil.rmtree(run.path(name)) if run.path(name).is_dir() else run.path(name).unlink(
                missing_ok=True
            )
        run.write("config.yaml", job.experiment)
    run.share_data(Run(job.data))
    decoded, table = load_decoded(run, job.cache), run.table()
    student = train_student(config, run, decoded, cache=job.cache, verbose=0)
    model = to_tflite_fp16(student, config)
    rows = np.flatnonzero(table["part"] == "validation")
    inputs = plain_inputs(decoded, rows, Preprocessor(config.preprocess))
    network = Network(model, inputs.shape[1:])
    seen = table.loc[rows, ["image_id", "group", "malignant"]].copy()
    seen["logit"] = [network.predict(one).logit for one in inputs]
    run.write("validation.csv", seen.to_csv(index=False, float_format="%.7g"))
    run.path("student.tflite").write_bytes(model)
    result = {"size_bytes": len(model), "seconds": round(time.monotonic() - started, 1)}
    run.write("result.json", json.dumps(result) + "\n")
    logger.info("%s, seed %d: %.0f s", job.arm, job.seed, result["seconds"])
