"""The same training on TensorFlow, JAX and PyTorch, on one device and several; export under TensorFlow."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")

from skin_edge.errors import UsageError  # noqa: E402
from skin_edge.model.runtime import Network  # noqa: E402
from skin_edge_training import backends  # noqa: E402
from skin_edge_training.devices import accelerators, all_devices, sharing  # noqa: E402
from skin_edge_training.models.teacher import load_teacher  # noqa: E402
from skin_edge_training.quantize import to_tflite_fp16  # noqa: E402
from skin_edge_training.run import Run  # noqa: E402

SCRIPT = Path(__file__).with_name("tiny_training.py")
BATCH, SIZE_PX = 8, 32  # of that script
WITHOUT = {
    "jax": "JAX is not installed (extra 'dev')",
    "torch": "PyTorch is not installed: 'make test-backends' installs it and runs this",
}
RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def train_tiny(folder: Path, backend: str, devices: int) -> Path:
    """The folder of a run that `tiny_training.py` has trained in a process of its own."""
    env = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # these networks take longer to compile than to train
    }
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The run of a backend on so many devices; two trainings at a time, since half of one is compiling."""
    home = tmp_path_factory.mktemp("backends")
    wanted = [("tensorflow", 1), ("jax", 1), ("jax", 4), ("torch", 1)]
    with ThreadPoolExecutor(2) as pool:
        runs = {
            (backend, devices): pool.submit(train_tiny, home / f"{backend}-{devices}", backend, devices)
            for backend, devices in wanted
            if find_spec(backend)
        }

    def run_of(backend: str, devices: int = 1) -> Path:
        if (backend, devices) not in runs:
            pytest.skip(WITHOUT[backend])
        return runs[backend, devices].result()

    return run_of


def answers(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "answers.npz") as kept:
        return dict(kept)


def seen(run: Path) -> dict[str, object]:
    return dict(json.loads((run / "seen.json").read_text(encoding="utf-8")))


@pytest.mark.long
@pytest.mark.parametrize("backend", backends.BACKENDS)
def test_what_any_backend_has_trained_tensorflow_reads_and_exports(
    backend: str, trained: Callable[..., Path]
) -> None:
    run = trained(backend)
    assert seen(run)["backend"] == backend
    told = answers(run)
    teacher = load_teacher(run / "teacher.keras")
    assert teacher.predict(told["teacher_inputs"], verbose=0)[:, 0] == pytest.approx(
        told["teacher"], abs=1e-4
    )
    student = keras.models.load_model(run / "student.keras", compile=False)
    logits = student.predict(told["student_inputs"], verbose=0)["logit"][:, 0]
    assert logits == pytest.approx(told["student"], abs=1e-4)
    network = Network(to_tflite_fp16(student, Run(run).config()), (SIZE_PX, SIZE_PX, 3))
    on_device = [network.predict(picture).logit for picture in told["student_inputs"]]
    assert on_device == pytest.approx(told["student"], abs=5e-3)


@pytest.mark.long
@pytest.mark.parametrize("backend", backends.BACKENDS[1:])
def test_every_backend_comes_to_the_same_networks(backend: str, trained: Callable[..., Path]) -> None:
    """Same views, teacher's logits, loss, optimizer and schedule: what is left is rounding."""
    reference, told = answers(trained("tensorflow")), answers(trained(backend))
    assert np.ptp(reference["teacher"]) > 0.3
    for network in ("teacher", "student"):
        assert told[network] == pytest.approx(reference[network], abs=0.01)
    for name in ("teacher_history.csv", "history.csv"):
        ours, theirs = (losses(trained(b) / name) for b in (backend, "tensorflow"))
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("backend", backends.BACKENDS)
def test_a_finished_training_is_resumed_at_its_end(backend: str, trained: Callable[..., Path]) -> None:
    assert seen(trained(backend))["resumed"] is True


def losses(history: Path) -> list[float]:
    with history.open(encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.long
@pytest.mark.parametrize("devices", [4])
def test_several_devices_share_every_batch_and_learn_what_one_does(
    devices: int, trained: Callable[..., Path]
) -> None:
    alone, shared = trained("jax"), trained("jax", devices)
    assert "batches" not in seen(alone)
    watched = seen(shared)
    assert watched["weights_on"] == [devices]
    part = [BATCH // devices, SIZE_PX, SIZE_PX, 3]
    batches = watched["batches"]
    assert isinstance(batches, list)
    assert len(batches) >= 2 * 2 * 2  # steps, epochs, networks
    assert all(batch == {f"cpu:{n}": part for n in range(devices)} for batch in batches)
    assert f"{devices} devices share each batch of {BATCH}: cpu:0, cpu:1" in " ".join(watched["log"])  # type: ignore[arg-type]
    for name in ("teacher_history.csv", "history.csv"):
        assert losses(shared / name) == pytest.approx(losses(alone / name), rel=1e-3)
    for name in ("teacher.keras", "student.keras"):
        ours, theirs = (keras.models.load_model(run / name, compile=False) for run in (shared, alone))
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert a == pytest.approx(b, abs=0.01)
    told, reference = answers(shared), answers(alone)
    for network in ("teacher", "student"):
        assert told[network] == pytest.approx(reference[network], abs=0.01)


@pytest.mark.long
def test_pictures_that_cannot_be_shared_equally_are_judged_all_the_same(
    trained: Callable[..., Path],
) -> None:
    shared, alone = (
        np.genfromtxt(trained("jax", n) / "teacher_predictions.csv", delimiter=",") for n in (4, 1)
    )
    assert len(shared) == 1 + 5 + 5
    assert shared[1:, -1] == pytest.approx(alone[1:, -1], abs=0.01)
    assert "figures of an epoch: 4 of 5 validation pictures" in seen(trained("jax", 4))["log"]  # type: ignore[operator]


@pytest.mark.long
def test_quantize_runs_on_tensorflow_whatever_training_ran_on(
    trained: Callable[..., Path], run_cli: RunCli
) -> None:
    run = trained("jax")
    assert seen(run)["export_runs_on"] == "tensorflow"  # as `train run` does it
    done = run_cli("train", "quantize", "--run", str(run), "--json", env={"KERAS_BACKEND": "jax"})
    assert done.returncode == 0, done.stderr
    assert (run / "student.tflite").exists()


def test_tflite_is_not_made_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "running_backend", lambda: "jax")
    with pytest.raises(UsageError, match="Keras runs on jax here: 'skin-edge train quantize' makes it"):
        backends.require_tensorflow()


def test_a_backend_that_cannot_be_is_named_in_one_line(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = run_cli("train", "student", env={"KERAS_BACKEND": "theano"})
    assert told.returncode == UsageError.exit_code
    assert told.stderr == "skin-edge: KERAS_BACKEND=theano: choose one of tensorflow, jax, torch\n"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="KERAS_BACKEND=torch, and torch is not installed: install it, or"):
        backends.check_backend()


def test_a_batch_that_devices_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1", "gpu:2"])
    with pytest.raises(UsageError, match=r"batches of 64 .* by 3 devices: set batch_size to a multiple of 3"):
        all_devices(64).__enter__()


def test_gpus_that_a_backend_leaves_idle_are_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1"])
    assert accelerators() == ["gpu:0", "gpu:1"]
    with all_devices(64):
        assert sharing() == 1
    assert "1 of 2 GPUs is used: Keras on tensorflow" in caplog.text
    assert "KERAS_BACKEND=jax" in caplog.text
