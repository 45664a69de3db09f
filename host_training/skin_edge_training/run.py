"""The folder of one training run: what each step leaves behind for the next.

RUN/config.yaml         the experiment, as it was given
RUN/table.csv           one row a picture: label, lesion, group, part of the split
RUN/split.csv           the split alone, whose hash travels in the bundle
RUN/twins.csv           pairs of copies and siblings that joined lesions
RUN/provenance.json     experiment, data, split, leak, libraries, commit
RUN/teacher_checkpoint/ what an interrupted training of the teacher resumes from
RUN/teacher_history.csv figures of every epoch of the teacher
RUN/teacher.keras       the trained teacher
RUN/teacher_predictions.csv  its logits on validation and test
RUN/checkpoint/         what an interrupted training resumes from
RUN/history.csv         figures of every epoch
RUN/student.keras       the trained student
RUN/student.tflite      the same at 16 bit, if its answers did not move: this is shipped
RUN/student_int8.tflite the same in 8-bit integers, to be measured
RUN/predictions.csv     logits on validation and test: Keras, and both TFLite files through skin_edge
RUN/quantization.csv    size, AUROC, calibration, change of the logits and time of each format
RUN/quantization.json   the same, with the figures of the shipped file on top
RUN/bundle/             what goes to a device
RUN/evidence/           figures, plots and report of the bundle on the held-out lesions
RUN/control/            the run of the undistilled control arm, where the experiment has one
RUN/distillation.json   the student against that arm and against its teacher
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas as pd

from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import UsageError
from skin_edge_training.config import ExperimentConfig, load_experiment
from skin_edge_training.provenance import Provenance, as_of_now, find_leak, to_json


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

    def write(self, name: str, text: str) -> None:
        """Write a file of this run, whole or not at all."""
        with replacing(self.path(name), PUBLIC_MODE) as stream:
            stream.write(text.encode("utf-8"))

    def write_provenance(self, provenance: Provenance) -> None:
        """Keep where this run comes from."""
        self.write("provenance.json", to_json(provenance))

    def provenance(self) -> Provenance:
        """Where an artefact that is made now comes from.

        Raises:
            UsageError: the record is missing, or of another skin-edge.
        """
        kept = self.require("provenance.json", "data")
        try:
            made = msgspec.json.decode(kept.read_bytes(), type=Provenance)
        except msgspec.DecodeError as error:
            raise UsageError(
                f"{kept}: not a record that this skin-edge reads ({error}): run 'skin-edge train data' again"
            ) from None
        return as_of_now(made, self.config())

    def share_data(self, prepared: Run) -> None:
        """Take over pictures and split of a run whose data step is done."""
        for name in ("table.csv", "split.csv", "provenance.json"):
            self.write(name, prepared.require(name, "data").read_text(encoding="utf-8"))

    def refuse_leak(self, allowed: bool) -> None:
        """Stop before training on a split that leaks, unless that is wanted.

        Raises:
            UsageError: it leaks; says how many pictures.
        """
        if (leak := find_leak(self.table())) is not None and not allowed:
            raise UsageError(
                f"{self.directory}: {leak.test} test and {leak.validation} validation pictures show a lesion "
                "that training learns from: split by lesion, or train with --allow-leak, which stamps all "
                "that comes of it"
            )

    def split_sha256(self) -> str:
        """SHA-256 (hex) of split.csv."""
        return hashlib.sha256(self.require("split.csv", "data").read_bytes()).hexdigest()
