"""`skin-edge train run`: the whole chain of one experiment, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skin_edge.cli import console
from skin_edge.cli.options import JsonOption
from skin_edge_training.backends import check_backend
from skin_edge_training.options import DEFAULT_CACHE, AllowLeakOption, CacheOption, showing


def run(
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="The experiment: a YAML file, or the name of a shipped one."),
    ],
    directory: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Folder of the run; default: runs/NAME of the file."),
    ] = None,
    cache: CacheOption = DEFAULT_CACHE,
    allow_leak: AllowLeakOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do all that an experiment says: data, teacher, student, control arm, quantize, package, evaluate.

    A step whose result is there is not done again, and training goes on at its last epoch: after an
    interruption run the same command. RUN/evidence/report.html is what came of it, RUN/bundle what goes to
    a device.
    """
    check_backend()
    from skin_edge_training.chain import run_chain
    from skin_edge_training.config import find_config
    from skin_edge_training.evidence.plots import text
    from skin_edge_training.run import Run

    path = find_config(config)
    folder = Run(directory or Path("runs") / path.stem)
    evidence = run_chain(
        path, folder, cache, allow_leak=allow_leak, progress=showing, verbose=0 if as_json else "auto"
    )
    compared = folder.path("distillation.json")
    if as_json:
        console.emit_json({"run": str(folder.directory), "evidence": evidence})
        return
    console.table(
        f"{evidence.model.name} {evidence.model.version} on held-out lesions",
        ("figure", "value (95 % CI)"),
        [(name, text(figure)) for name, figure in evidence.figures.items()],
    )
    if compared.exists():
        import msgspec

        console.emit(str(msgspec.json.decode(compared.read_bytes())["verdict"]))
    for caution in evidence.cautions:
        console.note(f"skin-edge: {caution}")
    console.emit(f"bundle {folder.path('bundle')}, report {folder.path('evidence') / 'report.html'}")
    console.emit(evidence.notice)
