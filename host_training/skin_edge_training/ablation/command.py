"""`skin-edge train ablate`: which choices of an experiment pay, and what they cost on a device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge_training.options import DEFAULT_CACHE, CacheOption, showing


def ablate(
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="The ablation: a YAML file, or the name of a shipped one."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="OUT", help="Folder for runs, table and picture.")],
    cache: CacheOption = DEFAULT_CACHE,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, help="Trainings at once; default: a core each, up to 4."
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="In processes of this machine, though Ray is installed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a base experiment and arms that change one thing each; compare them on validation lesions.

    OUT gets ablation.csv, ablation.md and ablation.png; a training that is done is not done again. Where Ray
    is installed (pip install 'skin-edge[ray]') the trainings run on its cluster (RAY_ADDRESS), else in
    processes here.
    """
    from skin_edge.strict import dump_yaml
    from skin_edge_training.ablation.plan import load_ablation
    from skin_edge_training.ablation.report import markdown, picture
    from skin_edge_training.ablation.sweep import LOCAL, plan_jobs, sweep
    from skin_edge_training.ablation.table import ablation_table, sample_elsewhere
    from skin_edge_training.config import find_config
    from skin_edge_training.evidence.command import write_output
    from skin_edge_training.prepare import load_decoded, prepare
    from skin_edge_training.run import Run

    plan, base = load_ablation(find_config(config))
    data = Run(out / "data")
    data.directory.mkdir(parents=True, exist_ok=True)
    if not data.path("config.yaml").exists() or data.config().data != base.data:
        prepare(base, data, cache, progress=showing)
        data.write("config.yaml", dump_yaml(base))
    load_decoded(data, cache)  # here, lest every worker of a sweep that goes on does it
    cores = len(os.sched_getaffinity(0))
    at_once = workers or min(4, cores)
    jobs = plan_jobs(plan, base, out, cache, threads=max(1, cores // at_once))
    backend = sweep(jobs, at_once, LOCAL if local else None)
    table = ablation_table(jobs, base.seed, sample_elsewhere(plan.elsewhere, base.seed))
    files = {
        "ablation.csv": table.to_csv(index=False, float_format="%.6g").encode(),
        "ablation.md": markdown(table).encode(),
        "ablation.png": picture(table),
    }
    write_output(out, files)
    if as_json:
        console.emit_json({"out": str(out), "backend": backend, "arms": table.to_dict("records")})
        return
    shown = ("arm", "seeds", "auroc", "difference", "low", "high", "verdict", "cost_ratio")
    rows = [
        tuple(f"{value:.4f}" if isinstance(value, float) else value for value in row)
        for row in table.loc[:, list(shown)].itertuples(index=False, name=None)
    ]
    console.table("Ablation on validation lesions", shown, rows)
    console.emit(str(out / "ablation.png"))
