"""Put a run's student into a bundle that a device will accept, with its card and golden vectors."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from skin_edge import __version__
from skin_edge.camera.drawing import draw
from skin_edge.model.bundle import write_bundle
from skin_edge.model.golden import make_golden
from skin_edge.model.manifest import InputSpec, Manifest, TrainingInfo
from skin_edge.model.runtime import Network
from skin_edge.model.verify import verify_bundle
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge_training.compare import read_verdict
from skin_edge_training.data.decoded import Uint8Array
from skin_edge_training.evaluate import evaluate
from skin_edge_training.evidence.command import measure_bundle
from skin_edge_training.evidence.document import Evidence
from skin_edge_training.evidence.labels import held_out_part
from skin_edge_training.formats import read_format_comparison
from skin_edge_training.model_card import INTENDED_USE, model_card
from skin_edge_training.models.efficientnet_lite import WEIGHTS_LICENCE
from skin_edge_training.run import Run

#: Drawn lesions as golden inputs: real pictures are not ours to ship.
GOLDEN_FRAMES = 4
GOLDEN_SIZE_PX = (200, 150)


def package(run: Run, out: Path) -> Evidence:
    """Write the bundle of `run` to `out`, prove it the way a device will, and measure it on held-out lesions.

    The report is left in RUN/evidence, and its figures in the bundle's card.

    Raises:
        UsageError: an earlier step has not run.
        BundleError: the bundle would be refused by a device.
    """
    config = run.config()
    predictions = pd.read_csv(run.require("predictions.csv", "quantize"))
    model = run.require("student.tflite", "quantize").read_bytes()
    quantization = read_format_comparison(run)
    evaluation = evaluate(predictions, config.decision, config.seed)
    size_px = config.preprocess.crop_resize.size_px
    made = run.provenance()
    licences = made.licences
    if config.student.initial_weights == "imagenet":
        licences += (WEIGHTS_LICENCE,)
    manifest = Manifest(
        name=config.bundle.name,
        version=config.bundle.version,
        created=datetime.now(timezone.utc).replace(microsecond=0).isoformat(),
        input=InputSpec(height=size_px, width=size_px),
        preprocess=config.preprocess,
        preprocess_fingerprint=config.preprocess.fingerprint(),
        temperature=evaluation.temperature,
        operating_points=evaluation.operating_points,
        default_operating_point=evaluation.default_operating_point,
        abstain_band=evaluation.abstain_band,
        training=TrainingInfo(
            data=made.sets,
            licences=licences,
            split_sha256=made.split_sha256,
            seed=config.seed,
            leaks=made.leak is not None,
            data_sha256=made.data_sha256,
            experiment_sha256=made.config_sha256,
            git_commit=made.git_commit,
        ),
        metrics=evaluation.metrics,
        libraries=made.libraries,
        minimum_skin_edge_version=__version__,
        intended_use=INTENDED_USE,
    )
    preprocessor = Preprocessor(config.preprocess)
    network = Network(model, (size_px, size_px, 3))
    frames = [golden_frame(number) for number in range(GOLDEN_FRAMES)]
    golden = make_golden(frames, preprocessor, network)
    table, distillation = run.table(), read_verdict(run)

    def write(evidence: Evidence | None) -> None:
        card = model_card(manifest, evaluation, config, table, quantization, made, evidence, distillation)
        write_bundle(out, manifest, model=model, golden=golden, model_card=card)

    write(None)
    evidence = measure_bundle(out, held_out_part(run), run.path("evidence"))
    write(evidence)
    verify_bundle(out)
    return evidence


def golden_frame(number: int) -> Uint8Array:
    """Return drawn lesion `number` as (150, 200, 3) uint8 RGB."""
    return np.asarray(
        cv2.resize(draw(0, number).pixels, GOLDEN_SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8
    )
