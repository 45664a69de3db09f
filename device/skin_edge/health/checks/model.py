"""The model in use: whole, and giving here what it gave where it was made."""

from __future__ import annotations

from pathlib import Path

from skin_edge.errors import ModelError
from skin_edge.health.checks.check import Context, Finding
from skin_edge.model.locate import active_bundle_path
from skin_edge.model.runtime import RUNTIME_CODE
from skin_edge.model.verify import verify_bundle


def check_model(context: Context) -> Finding:
    """Verify the active bundle and its golden vectors, and that the configured operating point is in it."""
    named = context.settings.model.path
    try:
        path = Path(named).expanduser() if named is not None else active_bundle_path(context.state_dir)
        verified = verify_bundle(path)
    except ModelError as error:
        return Finding(
            status="fail",
            message=str(error),
            fix=_fix(error, named is not None),
            data={"code": error.code},
        )
    manifest, golden = verified.bundle.manifest, verified.golden
    data: dict[str, object] = {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": verified.bundle.model_sha256,
        "golden_vectors": golden.count,
        "max_logit_difference": golden.max_logit_difference,
    }
    points = [point.name for point in manifest.operating_points]
    wanted = context.settings.model.operating_point
    if wanted is not None and wanted not in points:
        return Finding(
            status="fail",
            message=f"{manifest.identity} has no operating point {wanted!r}",
            fix=f"set model.operating_point to one of {', '.join(points)}, or take it out",
            data=data,
        )
    if manifest.training.leaks:
        return Finding(
            status="warn",
            message=f"{manifest.identity} was trained on a split that leaks: its figures are no evidence",
            fix="use a model that was measured on lesions it had never seen",
            data=data,
        )
    return Finding(
        status="ok",
        message=f"{manifest.identity}: {golden.count} golden vectors, "
        f"logit within {golden.max_logit_difference:.1e}",
        data=data,
    )


def _fix(error: ModelError, named: bool) -> str:
    if error.code == RUNTIME_CODE:
        return "pip install ai-edge-litert; on armv7l pip install 'skin-edge[tflite-runtime]'"
    if named:
        return "put a whole bundle where model.path leads, or take model.path out"
    return "install the model again, or remove models/current from the state folder to use the shipped one"
