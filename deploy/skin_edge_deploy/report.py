"""What is said of hosts: an object each for scripts, a table and reasons or a plan for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from skin_edge.cli import console
from skin_edge_deploy.facts import Facts
from skin_edge_deploy.machine import Machine
from skin_edge_deploy.outcome import Outcome
from skin_edge_deploy.package import Package

SHIPPED = "the shipped model"


def as_object(outcome: Outcome, package: Package | None) -> dict[str, Any]:
    """Return an outcome as `--json` prints it; no `package` where no bundle was asked for."""
    return {
        "target": outcome.target,
        "status": outcome.status,
        "bundle": package.identity if package is not None else None,
        "model_sha256": package.bundle.model_sha256 if package is not None else None,
        "before": outcome.before,
        "after": outcome.after,
        "error": {"code": outcome.code, "message": outcome.message} if outcome.code is not None else None,
        "message": outcome.message,
        "accepted_host_key": outcome.fingerprint,
        "uploaded_bytes": outcome.uploaded_bytes,
        "resumed_bytes": outcome.resumed_bytes,
        "seconds": round(outcome.seconds, 3),
        "steps": outcome.steps,
        "release": msgspec.to_builtins(outcome.release),
        "machine": msgspec.to_builtins(outcome.machine),
        "facts": msgspec.to_builtins(outcome.facts),
        "device": outcome.answer,
    }


def show_plan(outcome: Outcome) -> None:
    """Print what was found on a host, and what would be done there."""
    console.emit(console.visible(outcome.target))
    if outcome.fingerprint is not None:
        console.emit(f"  host key   {outcome.fingerprint}, accepted, not remembered in a dry run")
    machine = _machine(outcome.machine) if outcome.machine is not None else []
    facts = _found(outcome.facts) if outcome.facts is not None else []
    told = {name for name, _ in machine}
    for name, value in [*machine, *(pair for pair in facts if pair[0] not in told)]:
        console.emit(console.visible(f"  {name:10} {value}"))
    if outcome.release is not None:
        console.emit(console.visible(f"  {'release':10} {outcome.release.identity}"))
    if outcome.status == "unchanged":
        console.emit(console.visible(f"  nothing to do: it {outcome.message}"))
    elif outcome.status != "planned":
        console.emit(console.visible(f"  {outcome.status}: {outcome.message}"))
    for number, step in enumerate(outcome.steps, start=1):
        console.emit(console.visible(f"  {'steps' if number == 1 else '':10} {number}. {step}"))


def show_summary(outcomes: Sequence[Outcome], package: Package | None) -> None:
    """Print a table of all hosts, and below it why some are not as they were wanted."""
    provisioned = any(outcome.release is not None for outcome in outcomes)
    columns = ["host", "status", "before", "now", "bytes sent", "seconds"]
    if provisioned:
        columns[2:4] = ["release before", "release now", "model before", "model now"]
    what = package.identity if package is not None else "skin-edge"
    console.table(
        f"{what} on {len(outcomes)} host{'s' if len(outcomes) > 1 else ''}",
        columns,
        [_row(outcome, provisioned=provisioned) for outcome in outcomes],
    )
    for reason in reasons(outcomes):
        console.emit(console.visible(reason))


def _row(outcome: Outcome, *, provisioned: bool) -> tuple[object, ...]:
    release: tuple[object, ...] = ()
    if provisioned:
        told = outcome.release
        release = (told.before, told.after) if told is not None else (None, None)
    found = outcome.facts
    # Of a host that was bare there is no model before.
    known = found is not None and found.models_known
    bare = outcome.machine is not None and not outcome.machine.installed
    return (
        outcome.target,
        outcome.status,
        *release,
        (outcome.before or SHIPPED) if known and not bare else None,
        (outcome.after or SHIPPED) if known and outcome.good else outcome.after,
        outcome.uploaded_bytes,
        f"{outcome.seconds:.1f}",
    )


def reasons(outcomes: Iterable[Outcome]) -> list[str]:
    """Return why hosts failed, a line each, and in one line which were not tried."""
    lines = [outcome.message for outcome in outcomes if outcome.status == "failed"]
    lines += [f"{o.target}: interrupted {o.message}" for o in outcomes if o.status == "interrupted"]
    left = [outcome for outcome in outcomes if outcome.status == "not-tried"]
    if left:
        lines.append(f"not tried: {len(left)}, because {left[0].message}")
    return lines


def _machine(machine: Machine) -> list[tuple[str, str]]:
    root = {
        "root": "",
        "sudo": ", root through sudo",
        "line": ", whom sudo lets install releases",
        "password": ", root through sudo with a password",
        "none": ", who cannot become root",
    }
    glibc = f"glibc 2.{machine.glibc}" if machine.glibc is not None else "no glibc 2"
    python = f"Python {machine.python}" if machine.python else "no Python"
    free = "" if machine.opt_free_bytes is None else f", {machine.opt_free_bytes // 1_000_000} MB free"
    releases = [f"{name}{' (in use)' if name == machine.release else ''}" for name in machine.releases]
    signed = "signed releases only" if machine.signers_sha256 is not None else "no allowed signers"
    return [
        ("login", f"{machine.user} (uid {machine.uid}){root[machine.rights]}"),
        ("system", ", ".join((machine.os, machine.kernel, machine.machine, python, glibc))),
        ("releases", f"{', '.join(releases) or 'none'}{free}"),
        ("takes", f"{signed}; {'settings of its own' if machine.has_config else 'no settings yet'}"),
    ]


def _found(facts: Facts) -> list[tuple[str, str]]:
    sudo = {
        "": "",
        "needless": "",
        "owner": f", through sudo as {facts.owner}",
        "root": ", through sudo as root",
        "password": f", through sudo and a password as {facts.owner}",
    }
    free = "" if facts.free_bytes is None else f", {facts.free_bytes // 1_000_000} MB free"
    models = [
        f"{m.identity}{' (in use)' if m.current else ''}{'' if m.ok else ' (damaged)'}" for m in facts.models
    ]
    if facts.program is None:
        return [("login", f"{facts.user} (uid {facts.uid})"), ("skin-edge", "not found")]
    return [
        ("login", f"{facts.user} (uid {facts.uid}){sudo.get(facts.sudo, ', who may not use sudo for this')}"),
        ("system", ", ".join(filter(None, (facts.os, facts.kernel, facts.machine, facts.python)))),
        ("skin-edge", f"{facts.version}, {facts.program}"),
        ("models in", f"{facts.state}, of {facts.owner}{free}"),
        ("installed", ", ".join(models) or f"none; {SHIPPED} is in use"),
        ("service", facts.service if facts.service != "none" else "not installed"),
    ]
