"""An ablation is one YAML file: a base experiment, and arms that each change a few of its keys."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from skin_edge.errors import ConfigError
from skin_edge.strict import SchemaError, Strict, convert, parse_yaml
from skin_edge_training.config import ExperimentConfig, find_config, load_experiment

#: The arm that all others are compared with.
BASE = "base"

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,40}\Z")]


class Arm(Strict, frozen=True):
    """One change.

    `change` maps dotted keys of the experiment to values, as in ``{preprocess.contrast.enabled: true}``.
    `seeds`, where given, replaces the ablation's.
    """

    name: Slug
    factor: str
    change: dict[str, Any] = msgspec.field(default_factory=dict)
    seeds: Annotated[tuple[int, ...], Meta(min_length=1)] | None = None


class Ablation(Strict, frozen=True):
    """The whole sweep. The split is the base experiment's, whatever the seed of an arm."""

    base: str
    seeds: Annotated[tuple[int, ...], Meta(min_length=1)]
    arms: Annotated[tuple[Arm, ...], Meta(min_length=1)]
    #: Sets of other origin, benign and malignant, that no arm learns from: does a choice pay there too?
    elsewhere: tuple[str, ...] = ()
    #: Keys changed in every arm, base included: a shorter training, for one.
    change: dict[str, Any] = msgspec.field(default_factory=dict)


def load_ablation(path: Path) -> tuple[Ablation, ExperimentConfig]:
    """Return an ablation and its base experiment with the common changes.

    Raises:
        ConfigError: a file is missing, a key unknown, or a value not of its type; names the arm.
    """
    try:
        plan = convert(parse_yaml(path.read_bytes()) or {}, Ablation)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this ablation: {error.strerror}") from None
    except SchemaError as error:
        raise ConfigError(f"{path}: {error}") from None
    names = [BASE, *(arm.name for arm in plan.arms)]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: arms: two are called the same, or one is called {BASE!r}")
    beside = path.parent / plan.base
    base = load_experiment(beside if beside.is_file() else find_config(Path(plan.base)))
    common = changed(base, plan.change, f"{path}: change")
    for arm in plan.arms:
        changed(common, arm.change, f"{path}: arm {arm.name}")
    return plan, common


def changed(config: ExperimentConfig, change: dict[str, Any], where: str) -> ExperimentConfig:
    """Return the experiment with dotted keys set.

    Raises:
        ConfigError: a key is unknown or a value not of its type; begins with `where`.
    """
    plain = copy.deepcopy(msgspec.to_builtins(config))
    for key, value in change.items():
        *sections, last = key.split(".")
        section = plain
        for name in sections:
            section = section.get(name)
            if not isinstance(section, dict):
                raise ConfigError(f"{where}: {key}: the experiment has no section {name!r} to change")
        section[last] = value
    try:
        return convert(plain, ExperimentConfig)
    except SchemaError as error:
        raise ConfigError(f"{where}: {error}") from None
