"""The command `skin-edge`: which sub-commands there are, each imported only when it is called.

Commands of the host (training, deployment) join through the entry-point group `skin_edge.commands`; the
device knows none of them by name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from skin_edge import DISCLAIMER, __version__
from skin_edge.cli import console
from skin_edge.errors import SkinEdgeError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "skin_edge.commands"

#: Each is the module `skin_edge.cli.NAME` with a typer app called `app`, in the order of the help text.
DEVICE_COMMANDS = (
    "capture",
    "classify",
    "kiosk",
    "results",
    "model",
    "config",
    "doctor",
    "bench",
    "service",
    "release",
)

EPILOG = """\b
Examples:
  skin-edge capture --source demo --once       a drawn lesion, to see that all works
  skin-edge classify photo.jpg                 one image, or folders of them
  skin-edge classify photos --json | head      one JSON object a line
  skin-edge results list                       what was decided
\b
Exit status: 0 done, 1 some inputs failed (or a bug, which is said), 2 usage or
configuration, 3 camera, 4 model, 5 storage, 6 health or deploy, 130 Ctrl-C.
"""


class LazyGroup(TyperGroup):
    """A group whose commands are modules that are imported when they are called or listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the device's commands, then those of the host."""
        return [*DEVICE_COMMANDS, *(name for name in host_commands() if name not in DEVICE_COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command, or None where there is none of that name."""
        if cmd_name in DEVICE_COMMANDS:
            return _plain(get_command(import_module(f"skin_edge.cli.{cmd_name}").app))
        entry = host_commands().get(cmd_name)
        if entry is None:
            return None
        try:
            app = entry.load()
        except Exception as error:  # noqa: BLE001 - a foreign module must not take the device's commands along
            return _unavailable(cmd_name, error, missing_extra(error, entry))
        return _plain(get_command(app) if isinstance(app, typer.Typer) else app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and the arguments left; an unknown name is answered with the nearest."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "see 'skin-edge --help'"
            raise UsageError(f"no such command {args[0]!r}; {hint}", code="unknown-command")
        return super().resolve_command(ctx, args)


def host_commands() -> dict[str, EntryPoint]:
    """Return the entry points of commands outside the device package, by name."""
    from importlib.metadata import entry_points  # 15 ms that the device's own commands do not pay

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def missing_extra(error: Exception, entry: EntryPoint) -> str | None:
    """Say in one line what to install for the command `entry` to work; None where `error` is a bug in it."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    missing = error.name.partition(".")[0]
    if missing in (entry.module.partition(".")[0], "skin_edge"):
        return None
    dist = entry.dist
    extras = (dist.metadata.get_all("Provides-Extra") or []) if dist else []
    fix = (
        f"pip install '{dist.name}[{entry.name}]'" if dist and entry.name in extras else f"install {missing}"
    )
    return f"'{entry.name}' needs {missing}, which is not installed: {fix}"


def _unavailable(name: str, cause: Exception, remedy: str | None) -> TyperCommand:
    """Return a command that is listed, and refuses to run."""
    bug = f"'{name}' cannot be loaded: {type(cause).__name__}: {cause}"

    def refuse() -> None:
        if remedy is None:
            raise SkinEdgeError(bug, code="plugin") from cause
        raise UsageError(remedy, code="missing-extra") from cause

    return TyperCommand(
        name=name,
        callback=refuse,
        help=f"Not available: {remedy or bug}",
        add_help_option=False,  # there is nothing to read its help from; the reason is what helps
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _plain(command: Any) -> Any:
    """Return `command` with plain help throughout: rich is then never imported for it."""
    command.rich_markup_mode = None
    for sub in getattr(command, "commands", {}).values():
        _plain(sub)
    return command


def _version(value: bool) -> None:
    if value:
        console.emit(f"skin-edge {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=f"Offline skin-lesion triage: capture, preprocess, classify, log.\n\n{DISCLAIMER}",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def root(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log to stderr what is done, and tracebacks.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if verbose:
        import logging

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        for package in ("skin_edge", "skin_edge_training", "skin_edge_deploy"):
            logging.getLogger(package).setLevel(logging.DEBUG)
