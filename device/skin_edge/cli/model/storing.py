"""`skin-edge model install|list|activate|rollback|recover`: change the model store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skin_edge.cli import console
from skin_edge.cli.model.where import state_dir
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.config import Config, load_config
from skin_edge.errors import SkinEdgeError, StorageError

if TYPE_CHECKING:
    from skin_edge.model.activation import Service
    from skin_edge.model.store import ModelStore

INSTALL_EPILOG = """\b
What is done, in this order, each step before the next:
  the bundle's files against its manifest, sizes, schema; the signature, where this device has allowed signers
  the network and its golden vectors on this machine, in a process of its own
  the files, flushed to disk, under their final name
With --activate, then:
  the switch; one frame classified with the new model; the service restarted and asked for a classified frame
  where any of that fails, the old model again, and the reason
\b
A power cut at any moment leaves the old model in use or the new one. Nothing needs a network.
\b
Examples:
  skin-edge model install /media/usb/new-1.2.0.skinmodel --activate
  sudo skin-edge model install new-1.2.0.skinmodel --activate --json
"""

WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0.0, metavar="SECONDS", help="How long to wait for another installation."),
]


def install(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle directory or .skinmodel file.")],
    activate: Annotated[bool, typer.Option("--activate", help="Put it to use at once.")] = False,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, metavar="N", help="Bundles kept; default: model.keep of the settings."),
    ] = None,
    wait: WaitOption = 60.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check a bundle, prove it on this machine, and install it beside the others."""
    from skin_edge.model import activation
    from skin_edge.model.signature import allowed_signers

    settings = load_config(config)
    with _told(as_json, bundle=str(bundle)), _store(settings).locked(wait) as store:
        done = activation.install(store, bundle, allowed_signers(settings.model.allowed_signers))
        switched = activate and _activate(store, done.identity, settings)
        removed = store.prune(keep or settings.model.keep)
        opened = done.verification.bundle
        told = {
            "installed": done.identity,
            "path": str(done.path),
            "was_installed": done.was_there,
            "sha256": opened.model_sha256,
            "signed_by": done.signed_by,
            "golden": done.verification.golden,
            "activated": switched,
            **_in_use(store),
            "removed": removed,
        }
    if as_json:
        console.emit_json(told)
        return
    console.emit(
        f"{done.identity}: {'was installed already' if done.was_there else 'installed'}, {done.path}"
    )
    if done.signed_by is not None:
        console.emit(console.visible(f"signed by {done.signed_by}"))
    _say_in_use(told)
    if removed:
        console.emit(f"deleted: {', '.join(removed)}")


def list_models(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List what is installed, checked against its hashes, and which model is in use.

    With --json, an object a line.
    """
    store = _store(load_config(config))
    installed, used = store.installed(), _in_use(store)
    if as_json:
        for one in installed:
            console.emit_json(
                {
                    "identity": one.identity,
                    "path": str(one.path),
                    "current": one.is_current,
                    "previous": one.is_previous,
                    "ok": one.error is None,
                    "error": one.error,
                    "manifest_sha256": one.manifest_sha256,
                    "model_sha256": one.model_sha256,
                }
            )
        return
    rows = [
        (
            one.identity,
            "in use" if one.is_current else "before" if one.is_previous else None,
            "ok" if one.error is None else one.error,
        )
        for one in installed
    ]
    if rows:
        console.table("", ("model", "use", "files"), rows)
    else:
        console.emit(f"{store.path}: no model is installed")
    if used["current"] is None:
        console.emit("in use: the model that is shipped with skin-edge")


def activate(
    identity: Annotated[
        str,
        typer.Argument(metavar="NAME-VERSION", help="As 'model list' shows it; 'shipped': the package's."),
    ],
    wait: WaitOption = 60.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put an installed model to use; where it classifies no frame, the old one again."""
    from skin_edge.model.activation import SHIPPED

    settings = load_config(config)
    with _told(as_json, identity=identity), _store(settings).locked(wait) as store:
        switched = _activate(store, None if identity == SHIPPED else identity, settings)
        told = {"activated": switched, **_in_use(store)}
    console.emit_json(told) if as_json else _say_in_use(told)


def rollback(wait: WaitOption = 60.0, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Put the model to use that was in use before; a second time returns to this one."""
    from skin_edge.model import activation

    settings = load_config(config)
    with _told(as_json), _store(settings).locked(wait) as store:
        activation.rollback(store, _service(settings), settings.model.health_timeout_s)
        told = {"activated": True, **_in_use(store)}
    console.emit_json(told) if as_json else _say_in_use(told)


def recover(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Undo a switch that a power cut left unconfirmed; the service does so before it starts.

    Does nothing while another command is changing the store: what that has switched is on trial.
    """
    from skin_edge.model.activation import SHIPPED

    store = _store(load_config(config))
    undone = None
    if (unconfirmed := store.activation()) is not None:
        try:
            with store.locked():
                undone = unconfirmed.trial or SHIPPED
        except StorageError as error:
            if error.code != "store-locked":
                raise
    if as_json:
        console.emit_json({"undone": undone, **_in_use(store)})
    elif undone is not None:
        console.emit(f"{undone} was not confirmed, so it is no longer in use")
        _say_in_use(_in_use(store))


def _store(settings: Config) -> ModelStore:
    from skin_edge.model.store import ModelStore

    return ModelStore(state_dir(settings))


def _service(settings: Config) -> Service:
    from skin_edge.service.restarting import SystemdService

    return SystemdService.of(settings.kiosk)


def _activate(store: ModelStore, identity: str | None, settings: Config) -> bool:
    from skin_edge.model.activation import activate as put_to_use

    return put_to_use(store, identity, _service(settings), settings.model.health_timeout_s)


def _in_use(store: ModelStore) -> dict[str, str | None]:
    return {"current": store.target("current"), "previous": store.target("previous")}


def _say_in_use(told: dict[str, Any]) -> None:
    console.emit(f"in use: {told['current'] or 'the model that is shipped with skin-edge'}")


@contextmanager
def _told(as_json: bool, **about: str) -> Iterator[None]:
    """With --json, an error is an object on stdout too, for who runs this over a wire."""
    try:
        yield
    except SkinEdgeError as error:
        if as_json:
            console.emit_json({**about, "error": {"code": error.code, "message": str(error)}})
        raise
