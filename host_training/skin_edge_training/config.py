"""One experiment, one YAML file: everything that shapes a trained student."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from skin_edge.errors import ConfigError
from skin_edge.preprocess.spec import PreprocessSpec
from skin_edge.strict import SchemaError, Strict, convert, parse_yaml

Positive = Annotated[float, Meta(gt=0.0)]
Part = Annotated[float, Meta(gt=0.0, lt=1.0)]
#: ViT-Base cuts its input into squares of this side.
VIT_PATCH_PX = 16


class SplitConfig(Strict, frozen=True):
    """Parts of the lesions; what is left over after `train` and `validation` is the test part."""

    #: "lesions" deals groups of twins and siblings out. "own" keeps the train and test folders of the sets,
    #: which may leak, and deals a validation part out of the former only.
    by: Literal["lesions", "own"] = "lesions"
    train: Part = 0.70
    validation: Part = 0.15
    #: Leave out of training and validation whatever shows a lesion of the sets' own test part.
    drop_leaking: bool = False


class DataConfig(Strict, frozen=True):
    """Which sets to read, and how to split them."""

    #: Folders in SKIN_EDGE_DATA or ../shared/data, or paths.
    sets: Annotated[tuple[str, ...], Meta(min_length=1)] = ("ham10000",)
    #: Sets that are read for their lesion ids only: two pictures of one lesion of theirs, copied into `sets`,
    #: are siblings there too.
    bridges: tuple[str, ...] = ()
    #: Labels that count as malignant; every other one is benign.
    malignant: Annotated[tuple[str, ...], Meta(min_length=1)] = ("malignant",)
    #: About so many pictures only, whole lesions, for a trial.
    limit: Annotated[int, Meta(ge=64)] | None = None
    split: SplitConfig = SplitConfig()


class AugmentConfig(Strict, frozen=True):
    """Random views of a training picture; a zero or false switches one off."""

    flip: bool = True
    rotate: bool = True
    zoom: Annotated[float, Meta(ge=0.0, lt=0.9)] = 0.25
    shift: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.08
    brightness: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.20
    contrast: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.20
    saturation: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.20
    white_balance: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.05
    #: Share of views that get a round field of view in a dark surround, as many dermatoscopes have.
    surround: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0


class StudentConfig(Strict, frozen=True):
    """A network cut from the front of EfficientNet-Lite0, closed by separable layers and a 1x1 head."""

    blocks: Annotated[int, Meta(ge=1, le=10)] = 7
    tail_channels: tuple[Annotated[int, Meta(ge=8, le=512)], ...] = (96, 96)
    pooling: Literal["average", "max"] = "average"
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.2
    initial_weights: Literal["imagenet", "random"] = "imagenet"


class TrainingConfig(Strict, frozen=True):
    """AdamW under a warm-up and cosine schedule."""

    epochs: Annotated[int, Meta(ge=1)] = 12
    batch_size: Annotated[int, Meta(ge=2)] = 64
    learning_rate: Positive = 1.5e-3
    warmup_fraction: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.1
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.02
    label_smoothing: Annotated[float, Meta(ge=0.0, lt=0.5)] = 0.0
    #: The stem and this many blocks keep their initial weights. They see the largest maps, so leaving them
    #: out of the backward pass more than halves the time of a step. None trains everything.
    frozen_blocks: Annotated[int, Meta(ge=0)] | None = None


BackboneName = Literal[
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "resnet152v2",
    "convnext_base",
    "vit_base",
]


class TeacherConfig(Strict, frozen=True):
    """Backbones side by side under one head, trained head first and then as a whole."""

    backbones: Annotated[tuple[BackboneName, ...], Meta(min_length=1)] = ("efficientnet_lite0",)
    #: "imagenet", "random", or a path: a file, or a folder of files under their published names.
    weights: Annotated[str, Meta(min_length=1)] = "imagenet"
    size_px: Annotated[int, Meta(ge=32, le=512)] = 160
    #: Stages before the teacher, of which its size and grey levels replace the last; None: the student's.
    preprocess: PreprocessSpec | None = None
    #: Stages kept of each EfficientNet-Lite, of seven; None keeps all. On few pictures the last ones overfit.
    stages: Annotated[int, Meta(ge=1, le=7)] | None = None
    #: Widths of dense layers between the joined features and the logit.
    head_units: tuple[Annotated[int, Meta(ge=8, le=4096)], ...] = ()
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.3
    #: Epochs with the backbones closed, before `training.epochs` with them open.
    head_epochs: Annotated[int, Meta(ge=0)] = 1
    head_learning_rate: Positive = 2e-3
    #: "auto" is 16-bit arithmetic where there is a GPU.
    mixed_precision: Literal["auto", "always", "never"] = "auto"
    training: TrainingConfig = TrainingConfig(epochs=7, learning_rate=5e-4)


class DistillationConfig(Strict, frozen=True):
    """What the student learns from a teacher besides the labels (Hinton et al. 2015)."""

    #: A teacher's run folder, or its teacher.keras; None: the teacher of this very run.
    teacher: str | None = None
    temperature: Annotated[float, Meta(gt=0.0, le=100.0)] = 2.0
    #: Share of the teacher's loss; the rest is the labels'.
    alpha: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.5
    #: Weight of the features' loss (similarity.py) beside the logits', in the teacher's share. With several
    #: teachers, the features are those of the first. A step takes longer: Keras asks the student twice.
    similarity: Annotated[float, Meta(ge=0.0, le=100_000.0)] = 0.0
    #: `train run` trains the same student without a teacher too, to see what the teacher was worth.
    control_arm: bool = True
    #: The control arm, trained first, teaches too: its logits and the teacher's are averaged. Two networks
    #: that learnt differently err differently.
    control_teaches: bool = False


class DecisionConfig(Strict, frozen=True):
    """How validation lesions set the operating points and the abstain band."""

    sensitivities: tuple[Part, ...] = (0.95, 0.90, 0.80)
    default_sensitivity: Part = 0.90
    abstain_coverage: Annotated[float, Meta(ge=0.0, lt=0.5)] = 0.15


class BundleConfig(Strict, frozen=True):
    """The name under which the result is shipped."""

    name: str = "ham-student"
    version: str = "0.1.0"
    #: What the card says under its limits besides what every card says: findings about this very model.
    known_limits: tuple[str, ...] = ()


class ExperimentConfig(Strict, frozen=True):
    """The whole experiment."""

    seed: int = 20241106
    data: DataConfig = DataConfig()
    preprocess: PreprocessSpec = PreprocessSpec()
    augmentation: AugmentConfig = AugmentConfig()
    student: StudentConfig = StudentConfig()
    training: TrainingConfig = TrainingConfig()
    teacher: TeacherConfig | None = None
    distillation: DistillationConfig | None = None
    decision: DecisionConfig = DecisionConfig()
    bundle: BundleConfig = BundleConfig()


def shipped_config() -> Path:
    """Path of the config that made the shipped student."""
    return Path(str(resources.files("skin_edge_training") / "configs" / "student.yaml"))


def find_config(path: Path) -> Path:
    """Return `path` where it is a file, else the shipped config of that name, with or without ``.yaml``.

    Raises:
        ConfigError: neither is there; names the shipped ones.
    """
    shipped = shipped_config().parent
    for candidate in (path, shipped / path, shipped / f"{path}.yaml"):
        if candidate.is_file():
            return candidate
    names = ", ".join(sorted(file.name for file in shipped.glob("*.yaml")))
    raise ConfigError(f"{path}: no such experiment file; shipped ones: {names}")


def load_experiment(path: Path) -> ExperimentConfig:
    """Read an experiment file.

    Raises:
        ConfigError: the file is missing, or a key is unknown, ill-typed or inconsistent.
    """
    try:
        config = convert(parse_yaml(path.read_bytes()) or {}, ExperimentConfig)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this experiment config: {error.strerror}") from None
    except SchemaError as error:
        raise ConfigError(f"{path}: {error}") from None
    split = config.data.split
    if split.train + split.validation >= 1.0:
        raise ConfigError(f"{path}: data.split: train + validation must leave lesions for the test part")
    if split.drop_leaking and split.by != "own":
        raise ConfigError(
            f"{path}: data.split.drop_leaking goes with 'by: own': a split by lesions has no leaks"
        )
    if config.decision.default_sensitivity not in config.decision.sensitivities:
        raise ConfigError(f"{path}: decision.default_sensitivity must be one of decision.sensitivities")
    if not (config.preprocess.crop_resize.enabled and config.preprocess.normalisation.enabled):
        raise ConfigError(f"{path}: preprocess: training needs crop_resize and normalisation switched on")
    if config.teacher is not None:
        _check_teacher(path, config.teacher)
    elif config.distillation is not None and config.distillation.teacher is None:
        raise ConfigError(f"{path}: distillation: name its teacher, or describe one under 'teacher'")
    if (plan := config.distillation) is not None and plan.control_teaches and not plan.control_arm:
        raise ConfigError(f"{path}: distillation.control_teaches needs control_arm: true")
    return config


def _check_teacher(path: Path, teacher: TeacherConfig) -> None:
    if len(set(teacher.backbones)) != len(teacher.backbones):
        raise ConfigError(f"{path}: teacher.backbones: each backbone can be there once")
    others = [name for name in teacher.backbones if not name.startswith("efficientnet_lite")]
    if others and teacher.training.frozen_blocks is not None:
        raise ConfigError(f"{path}: teacher.training.frozen_blocks: {others[0]} has no such blocks")
    if others and teacher.stages is not None:
        raise ConfigError(f"{path}: teacher.stages: {others[0]} has no such stages")
    if "vit_base" in teacher.backbones and teacher.size_px % VIT_PATCH_PX:
        raise ConfigError(f"{path}: teacher.size_px: vit_base needs a multiple of {VIT_PATCH_PX}")
