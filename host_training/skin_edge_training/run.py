"""The folder of one training run: what each step leaves behind for the next.

RUN/config.yaml         the experiment, as it was given
RUN/table.csv           one row a picture: label, lesion, group, part of the split
RUN/split.csv           the split alone, whose hash travels in the bundle
RUN/twins.csv           near-duplicate pairs that joined lesions
RUN/teacher_checkpoint/ what an interrupted training of the teacher resumes from
RUN/teacher_history.csv figures of every epoch of the teacher
RUN/teacher.keras       the trained teacher
RUN/teacher_predictions.csv  its logits on validation and test
RUN/checkpoint/         what an interrupted training resumes from
RUN/history.csv         figures of every epoch
RUN/student.keras       the trained student
RUN/student.tflite      the same at 16 bit
RUN/predictions.csv     logits on validation and test: Keras, and TFLite through skin_edge
RUN/quantization.json   size and largest change of a logit
RUN/bundle/             what goes to a device
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skin_edge.errors import UsageError
from skin_edge_training.config import ExperimentConfig, load_experiment


@dataclass(frozen=True, slots=True)
class Run:
    """Paths of a run's files, and readers that say which step is missing."""

    directory: Path

    def path(self, name: str) -> Path:
        """Path of a file of this run."""
        return self.directory / name

    def require(self, name: str, step: str) -> Path:
        """Path of a file that an earlier step made.

        Raises:
            UsageError: the file is not there; names the step that makes it.
        """
        path = self.path(name)
        if not path.exists():
            raise UsageError(f"{path} is missing: run 'skin-edge train {step} --run {self.directory}' first")
        return path

    def start(self, config_path: Path) -> ExperimentConfig:
        """Create the folder for a config; the same folder serves one config only.

        Raises:
            UsageError: the folder holds another experiment.
        """
        config = load_experiment(config_path)
        kept = self.path("config.yaml")
        if kept.exists() and load_experiment(kept) != config:
            raise UsageError(f"{self.directory} holds another experiment: choose another --run, or delete it")
        self.directory.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(config_path.read_bytes())
        return config

    def config(self) -> ExperimentConfig:
        """The experiment of this run."""
        return load_experiment(self.require("config.yaml", "data"))

    def table(self) -> pd.DataFrame:
        """One row a picture, with `group` and `part`."""
        return pd.read_csv(self.require("table.csv", "data"))

    def split_sha256(self) -> str:
        """SHA-256 (hex) of split.csv."""
        return hashlib.sha256(self.require("split.csv", "data").read_bytes()).hexdigest()
