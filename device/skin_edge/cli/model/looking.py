"""`skin-edge model info|verify`: look at bundles and prove them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.model.where import state_dir
from skin_edge.cli.options import ConfigOption, JsonOption
from skin_edge.config import Config, load_config
from skin_edge.model.bundle import Bundle, open_bundle
from skin_edge.model.locate import active_bundle_path
from skin_edge.model.manifest import Estimate

BundleArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[BUNDLE]", help="A bundle directory or .skinmodel file; default: the one in use."
    ),
]


def info(bundle: BundleArgument = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what a bundle says of itself.

    Its files are checked against their hashes, its network is not run.
    """
    opened = open_bundle(bundle or _bundle_in_use(load_config(config)))
    if as_json:
        console.emit_json(
            {
                "bundle": str(opened.origin),
                "model_sha256": opened.model_sha256,
                "signed": opened.signature is not None,
                "manifest": opened.manifest,
            }
        )
        return
    for line in _describe(opened):
        console.emit(console.visible(line))


def verify(bundle: BundleArgument = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check a bundle and run its golden vectors on this machine.

    The network runs in a process of its own, so that a broken one ends in exit status 4 and nothing else.
    """
    from skin_edge.model.verify import verify_bundle

    verified = verify_bundle(bundle or _bundle_in_use(load_config(config)))
    manifest, golden = verified.bundle.manifest, verified.golden
    if as_json:
        console.emit_json(
            {
                "bundle": str(verified.bundle.origin),
                "ok": True,
                "name": manifest.name,
                "version": manifest.version,
                "model_sha256": verified.bundle.model_sha256,
                "golden": golden,
            }
        )
        return
    console.emit(
        f"{console.visible(str(verified.bundle.origin))}: {manifest.identity} is good here: "
        f"{golden.count} golden vectors, logit within {golden.max_logit_difference:.1e}, "
        f"activation map within {golden.max_activation_map_difference:.1e}, "
        f"image within {golden.max_image_difference} grey levels"
    )


def _bundle_in_use(settings: Config) -> Path:
    if settings.model.path is not None:
        return Path(settings.model.path).expanduser()
    return active_bundle_path(state_dir(settings))


def _describe(bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    spec = manifest.preprocess
    stages = [name for name in spec.__struct_fields__ if getattr(getattr(spec, name), "enabled", False)]
    lines = [
        f"{manifest.identity}, made {manifest.created}",
        f"bundle          {bundle.origin}{' (signed)' if bundle.signature is not None else ''}",
        f"model           {len(bundle.model)} bytes, sha256 {bundle.model_sha256}",
        f"input           {manifest.input.height} x {manifest.input.width} {manifest.input.colour_order}",
        f"stages          {', '.join(stages) or 'none'}",
        f"trained on      {', '.join(manifest.training.data)}"
        f"{' (LEAKS: the figures below are no evidence)' if manifest.training.leaks else ''}",
        f"licences        {'; '.join(manifest.training.licences)}",
    ]
    for point in manifest.operating_points:
        mark = ", default" if point.name == manifest.default_operating_point else ""
        lines.append(
            f"operating point {point.name} (from {point.threshold:.3f}{mark}): "
            f"sensitivity {_percent(point.sensitivity)}, specificity {_percent(point.specificity)}"
        )
    band = manifest.abstain_band
    lines.append(f"uncertain       probability {band.low:.3f} to {band.high:.3f}")
    lines += [
        f"{name:15} {value.value:.3f} (95 % CI {value.low:.3f} to {value.high:.3f})"
        for name, value in manifest.metrics.items()
    ]
    lines += [f"intended use    {' '.join(manifest.intended_use.split())}", DISCLAIMER]
    return lines


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} (95 % CI {estimate.low:.1%} to {estimate.high:.1%})"
