"""The console script: run a command and turn whatever ends it into an exit status and one line on stderr.

Imports stay inside `main`, so that Ctrl-C is answered alike from the first millisecond.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import Any, NoReturn

PROG = "skin-edge"
COMPLETION = "_SKIN_EDGE_COMPLETE"

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_STORAGE = 5
EXIT_INTERRUPTED = 130  # as a shell says it: 128 + SIGINT
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line `args` (`sys.argv` unless given) and exit with its status."""
    # One thread unless asked otherwise. OpenBLAS starts a thread a core when numpy is imported, which costs
    # start-up time and memory, and nothing here multiplies matrices large enough to repay it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Starting up makes tens of thousands of objects that stay: looking through them again and again for
    # garbage costs a tenth of the start-up time.
    gc.set_threshold(100_000, 20, 20)
    argv = sys.argv[1:] if args is None else list(args)
    try:
        status = _flushed(_run(argv or ["--help"]))
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        status = EXIT_BROKEN_PIPE
    sys.exit(status)


def _flushed(status: int) -> int:
    """Return `status`, or that of a storage error where the last of the output could not be written."""
    if sys.stdout is None:
        return status
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        return status or _fail(f"cannot write to standard output: {error.strerror}", EXIT_STORAGE, None)
    return status


def console_script() -> NoReturn:
    """Run the command line of this process, and end the process without taking it apart.

    Freeing numpy, OpenCV and the runtime piece by piece costs a sixth of a `classify`, and the kernel does it
    at once. Exit handlers run and output is flushed as always; where another thread still runs, Python's own
    way out waits for it.
    """
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else EXIT_INTERNAL
    if threading.active_count() > 1:
        sys.exit(status)
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = status or EXIT_INTERNAL  # what was flushed last went nowhere
    os._exit(status)


def _run(argv: list[str]) -> int:
    """Return the exit status of the command line; Ctrl-C and a broken pipe pass through."""
    import typer

    from skin_edge.cli.group import app
    from skin_edge.errors import SkinEdgeError

    # typer re-exports no base of click's errors, and from 0.29 brings a click of its own
    click_error = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    command: Any = typer.main.get_command(app)
    if COMPLETION in os.environ:
        command.main(args=argv, prog_name=PROG, complete_var=COMPLETION)
    context: Any = None
    try:
        # click's own `main` would answer Ctrl-C and broken pipes with statuses other than ours
        with command.make_context(PROG, list(argv)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        return EXIT_INTERRUPTED
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except SkinEdgeError as error:
        return _fail(str(error), error.exit_code, context)
    except MemoryError:
        return _fail("out of memory; close other programs or use smaller images", EXIT_INTERNAL, context)
    except Exception as error:  # noqa: BLE001 - the last place that can turn a bug into one line
        if isinstance(error, click_error):
            return _usage(error)
        return _unexpected(error, context)
    return 0


def _usage(error: Any) -> int:
    """Report an error of the command line in one line, or show the help that was asked for by silence."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else PROG
    message = " ".join(error.format_message().split()).rstrip(".")
    return _fail(f"{message}; see '{path} --help'", error.exit_code, None)


def _unexpected(error: Exception, context: Any) -> int:
    name = context.invoked_subcommand if context else None
    if isinstance(error, ModuleNotFoundError) and name:
        from skin_edge.cli.group import host_commands, missing_extra

        entry = host_commands().get(name)
        remedy = missing_extra(error, entry) if entry else None
        if remedy:
            return _fail(remedy, EXIT_USAGE, context)
    if isinstance(error, OSError) and error.filename is not None:
        return _fail(f"{error.filename}: {error.strerror}", EXIT_INTERNAL, context)
    return _fail(
        f"internal error: {type(error).__name__}: {error}; please report it, "
        f"with the traceback that `{PROG} --verbose ...` shows",
        EXIT_INTERNAL,
        context,
    )


def _fail(message: str, status: int, context: Any) -> int:
    """Write `skin-edge: MESSAGE` to stderr, after the traceback where that is wanted."""
    from skin_edge.cli.console import note

    if os.environ.get("SKIN_EDGE_DEBUG") or (context is not None and context.params.get("verbose")):
        import traceback

        traceback.print_exc()
    note(f"{PROG}: {message}")
    return status


def _discard_output() -> None:
    """Point stdout at nothing, so that Python's own flush at exit does not complain about the lost reader."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.close(sink)
