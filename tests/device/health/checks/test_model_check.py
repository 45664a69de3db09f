"""The model in use: good, altered, missing, and with an operating point that it does not have."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from skin_edge.config import Config
from skin_edge.health.checks.check import Context
from skin_edge.health.checks.model import check_model
from skin_edge.model.bundle import open_bundle, write_bundle
from skin_edge.model.locate import default_bundle_path
from skin_edge.sections import ModelConfig

MakeContext = Callable[..., Context]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))


def with_model(path: Path | None, **more: str) -> Config:
    return Config(model=ModelConfig(path=None if path is None else str(path), **more))


def test_the_shipped_model_is_ok(make_context: MakeContext) -> None:
    finding = check_model(make_context())
    assert finding.status == "ok"
    assert finding.data["golden_vectors"] > 0
    assert finding.data["max_logit_difference"] <= 1e-3


def test_a_flipped_bit_fails(make_context: MakeContext, copy: Path) -> None:
    model = bytearray((copy / "model.tflite").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "model.tflite").write_bytes(model)
    finding = check_model(make_context(settings=with_model(copy)))
    assert (finding.status, "model.path" in (finding.fix or "")) == ("fail", True)
    assert "model.tflite" in finding.message


def test_a_model_that_gives_other_results_here_fails(make_context: MakeContext, tmp_path: Path) -> None:
    good = open_bundle(default_bundle_path())
    spec = good.manifest.preprocess
    darker = msgspec.structs.replace(
        spec, normalisation=msgspec.structs.replace(spec.normalisation, mean=(0.1, 0.1, 0.1))
    )
    manifest = msgspec.structs.replace(
        good.manifest, preprocess=darker, preprocess_fingerprint=darker.fingerprint()
    )
    other = write_bundle(
        tmp_path / "other", manifest, model=good.model, golden=good.golden, model_card=good.model_card
    )
    finding = check_model(make_context(settings=with_model(other)))
    assert (finding.status, "golden" in finding.message) == ("fail", True)


def test_a_store_whose_current_leads_nowhere_fails(make_context: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "state" / "models").mkdir(parents=True)
    (tmp_path / "state" / "models" / "current").symlink_to("student-9.9.9")
    finding = check_model(make_context())
    assert (finding.status, "leads nowhere" in finding.message) == ("fail", True)
    assert "models/current" in (finding.fix or "")


def test_an_operating_point_that_the_model_lacks_fails(make_context: MakeContext) -> None:
    finding = check_model(make_context(settings=with_model(None, operating_point="sensitivity-200")))
    assert (finding.status, "no operating point 'sensitivity-200'" in finding.message) == ("fail", True)
    assert "sensitivity-90" in (finding.fix or "")


def test_a_model_whose_training_leaks_is_a_warning(make_context: MakeContext, tmp_path: Path) -> None:
    good = open_bundle(default_bundle_path())
    manifest = msgspec.structs.replace(
        good.manifest, training=msgspec.structs.replace(good.manifest.training, leaks=True)
    )
    leaking = write_bundle(
        tmp_path / "leaking", manifest, model=good.model, golden=good.golden, model_card=good.model_card
    )
    finding = check_model(make_context(settings=with_model(leaking)))
    assert (finding.status, "leaks" in finding.message) == ("warn", True)
