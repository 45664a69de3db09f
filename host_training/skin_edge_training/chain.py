"""The whole chain of one experiment; what takes long is not done again where its result is there."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from skin_edge.strict import dump_yaml
from skin_edge_training.audit.search import Progress
from skin_edge_training.backends import under_tensorflow
from skin_edge_training.compare import compare_distillation
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.evidence.document import Evidence
from skin_edge_training.package import package
from skin_edge_training.prepare import load_decoded, prepare, silent
from skin_edge_training.quantize import quantize
from skin_edge_training.run import Run
from skin_edge_training.teachers import teacher_run
from skin_edge_training.train import train_student
from skin_edge_training.train_teacher import train_teacher

logger = logging.getLogger(__name__)


def run_chain(
    config_path: Path,
    run: Run,
    cache: Path,
    *,
    allow_leak: bool = False,
    progress: Progress = silent,
    verbose: int | str = "auto",
) -> Evidence:
    """Take an experiment from the downloads to a measured bundle, going on where an earlier call stopped.

    Args:
        config_path: the experiment.
        run: its folder.
        cache: folder for what runs share: decoded pictures, pairs, a teacher's logits.
        allow_leak: train on a split that leaks, too; what comes of it is stamped.
        progress: shows how far the data step has come.
        verbose: as in `keras.Model.fit`.

    Returns:
        What the bundle is worth on the held-out lesions, as in RUN/evidence/metrics.json.

    Raises:
        UsageError: the folder holds another experiment, a set is missing, or the split leaks.
        ModelError: weights are missing, or quantization moved the logits.
    """
    config = run.start(config_path)
    if not _done(run, "provenance.json", "data"):
        prepare(config, run, cache, progress=progress)
    run.refuse_leak(allow_leak)
    if config.teacher is not None and not _done(run, "teacher.keras", "teacher"):
        train_teacher(config, run, load_decoded(run, cache), allow_leak=allow_leak, verbose=verbose)
    if config.distillation is not None and config.distillation.control_arm:
        control = Run(run.path("control"))
        control.directory.mkdir(exist_ok=True)
        alone = msgspec.structs.replace(config, distillation=None, teacher=None)
        control.write("config.yaml", dump_yaml(alone))
        control.share_data(run)
        _fit(alone, control, cache, allow_leak, verbose)
    else:
        control = None
    _fit(config, run, cache, allow_leak, verbose)
    if config.distillation is not None:
        compare_distillation(run, control, teacher_run(config, run)[0])
    logger.info("%s: package", run.directory)
    return package(run, run.path("bundle"))


def _fit(config: ExperimentConfig, run: Run, cache: Path, allow_leak: bool, verbose: int | str) -> None:
    """Train and quantize a student."""
    if not _done(run, "student.keras", "student"):
        train_student(
            config, run, load_decoded(run, cache), cache=cache, allow_leak=allow_leak, verbose=verbose
        )
    if not _done(run, "student.tflite", "quantize"):
        under_tensorflow(quantize_run, run, cache)


def quantize_run(run: Run, cache: Path) -> None:
    """Quantize the student of `run`: what `under_tensorflow` can call in another process."""
    quantize(run.config(), run, load_decoded(run, cache))


def _done(run: Run, name: str, step: str) -> bool:
    """Whether a step has left its last file behind; says what is being done."""
    there = run.path(name).exists()
    logger.info("%s: %s%s", run.directory, step, " is done" if there else "")
    return there
