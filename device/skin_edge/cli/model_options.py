"""The options by which `capture` and `classify` choose a model, and the loading that follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skin_edge.config import Config
    from skin_edge.model.classifier import Classifier

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="BUNDLE",
        help="A bundle directory or .skinmodel file, verified before use; default: the active model.",
    ),
]
OperatingPointOption = Annotated[
    str | None,
    typer.Option(
        "--operating-point", metavar="NAME", help="One of the bundle's; see 'skin-edge model info'."
    ),
]


def load_classifier(settings: Config, model: Path | None) -> Classifier:
    """Load the bundle named on the command line, else the configured one, else the active one.

    A bundle named by its path was not verified by an installation, so it is verified now.

    Raises:
        BundleError: the bundle must not be used.
        ModelError: its network does not run here.
    """
    from skin_edge.model.classifier import Classifier
    from skin_edge.model.locate import active_bundle_path

    named = model or (Path(settings.model.path).expanduser() if settings.model.path else None)
    if named is not None:
        return Classifier.load(named, threads=settings.model.threads, trusted=False)
    return Classifier.load(
        active_bundle_path(settings.state_dir()), threads=settings.model.threads, trusted=True
    )
