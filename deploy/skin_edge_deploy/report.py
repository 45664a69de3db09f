"""What is said of hosts: an object each for scripts, a table and reasons or a plan for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from skin_edge.cli import console
from skin_edge_deploy.facts import Facts
from skin_edge_deploy.outcome import Outcome
from skin_edge_deploy.package import Package

SHIPPED = "the shipped model"


def as_object(outcome: Outcome, package: Package) -> dict[str, Any]:
    """Return an outcome as `--json` prints it."""
    return {
        "target": outcome.target,
        "status": outcome.status,
        "bundle": package.identity,
        "model_sha256": package.bundle.model_sha256,
        "before": outcome.before,
        "after": outcome.after,
        "error": {"code": outcome.code, "message": outcome.message} if outcome.code is not None else None,
        "message": outcome.message,
        "accepted_host_key": outcome.fingerprint,
        "uploaded_bytes": outcome.uploaded_bytes,
        "resumed_bytes": outcome.resumed_bytes,
        "seconds": round(outcome.seconds, 3),
        "steps": outcome.steps,
        "facts": msgspec.to_builtins(outcome.facts),
        "device": outcome.answer,
    }


def show_plan(outcome: Outcome) -> None:
    """Print what was found on a host, and what would be done there."""
    console.emit(console.visible(outcome.target))
    if outcome.fingerprint is not None:
        console.emit(f"  host key   {outcome.fingerprint}, accepted, not remembered in a dry run")
    for name, value in _found(outcome.facts) if outcome.facts is not None else ():
        console.emit(console.visible(f"  {name:10} {value}"))
    if outcome.status == "unchanged":
        console.emit("  nothing to do: it runs this very bundle")
    elif outcome.status != "planned":
        console.emit(console.visible(f"  {outcome.status}: {outcome.message}"))
    for number, step in enumerate(outcome.steps, start=1):
        console.emit(console.visible(f"  {'steps' if number == 1 else '':10} {number}. {step}"))


def show_summary(outcomes: Sequence[Outcome], package: Package) -> None:
    """Print a table of all hosts, and below it why some are not as they were wanted."""
    rows = [
        (
            outcome.target,
            outcome.status,
            (outcome.before or SHIPPED) if outcome.facts is not None else None,
            (outcome.after or SHIPPED) if outcome.good else outcome.after,
            outcome.uploaded_bytes,
            f"{outcome.seconds:.1f}",
        )
        for outcome in outcomes
    ]
    console.table(
        f"{package.identity} on {len(outcomes)} host{'s' if len(outcomes) > 1 else ''}",
        ("host", "status", "before", "now", "bytes sent", "seconds"),
        rows,
    )
    for reason in reasons(outcomes):
        console.emit(console.visible(reason))


def reasons(outcomes: Iterable[Outcome]) -> list[str]:
    """Return why hosts failed, a line each, and in one line which were not tried."""
    lines = [outcome.message for outcome in outcomes if outcome.status == "failed"]
    lines += [f"{o.target}: interrupted {o.message}" for o in outcomes if o.status == "interrupted"]
    left = [outcome for outcome in outcomes if outcome.status == "not-tried"]
    if left:
        lines.append(f"not tried: {len(left)}, because {left[0].message}")
    return lines


def _found(facts: Facts) -> list[tuple[str, str]]:
    sudo = {
        "": "",
        "needless": "",
        "owner": f", through sudo as {facts.owner}",
        "root": ", through sudo as root",
    }
    free = "" if facts.free_bytes is None else f", {facts.free_bytes // 1_000_000} MB free"
    models = [
        f"{m.identity}{' (in use)' if m.current else ''}{'' if m.ok else ' (damaged)'}" for m in facts.models
    ]
    return [
        ("login", f"{facts.user} (uid {facts.uid}){sudo.get(facts.sudo, ', who may not use sudo for this')}"),
        ("system", ", ".join(filter(None, (facts.os, facts.kernel, facts.machine, facts.python)))),
        ("skin-edge", f"{facts.version}, {facts.program}" if facts.program else "not found"),
        ("models in", f"{facts.state}, of {facts.owner}{free}"),
        ("installed", ", ".join(models) or f"none; {SHIPPED} is in use"),
        ("service", facts.service if facts.service != "none" else "not installed"),
    ]
