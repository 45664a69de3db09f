"""What `python3 FILE.skinrelease` does, on a device that has nothing but Python."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from skin_edge.errors import UsageError
from skin_edge.release.manifest import NAME
from skin_edge.release.operations import ACTIONS, INSTALL, KEEP, VERIFY, WAIT_S, Answer, Request, perform
from skin_edge.release.store import PREFIX, ReleaseStore

_EXIT_INTERRUPTED = 130  # as a shell says it: 128 + SIGINT

_DESCRIPTION = "Install this release of skin-edge on this device, which needs no internet."
_EPILOG = """\
  sudo python3 FILE                   install it, put it to use, and wait until it has classified a frame;
                                      where it does not, what was in use before is in use again
  python3 FILE verify                 compare every file of it with its SHA-256, and change nothing
  python3 FILE list                   what is installed
  sudo python3 FILE rollback          the release before, again
  sudo python3 FILE activate ID       another one that is installed
  sudo python3 FILE recover           undo what a power cut left (the device does so at every boot)

Where skin-edge is installed already, its own code checks the file before anything of it runs:
  sudo skin-edge release install FILE

exit status: 0 done, 2 usage (not root, another kind of machine), 5 storage, 6 not installed or taken back
"""


def main(argv: Sequence[str] | None, own_file: str) -> int:
    """Do what the command line says, and return the exit status.

    Args:
        argv: the words after the file's name; None: those of this process.
        own_file: the ZIP that this runs from.
    """
    options = _parser(Path(own_file).name).parse_args(argv)
    own = Path(own_file)
    request = Request(
        action=options.action,
        store=ReleaseStore(options.prefix.absolute()),
        say=_say,
        file=own if options.action in (INSTALL, VERIFY) and _is_release(own) else None,
        identity=options.identity,
        keep=options.keep,
        service=not options.no_service,
        wait_s=options.wait,
        allowed_signers=options.allowed_signers,
        boot=options.boot,
    )
    try:
        answer = _checked(request, options.identity)
    except KeyboardInterrupt:
        _say("interrupted: the same command again finishes")
        return _EXIT_INTERRUPTED
    if options.json:
        sys.stdout.write(json.dumps(answer.told) + "\n")
    elif answer.error is None:
        sys.stdout.write("".join(f"{line}\n" for line in lines(options.action, answer)))
    if answer.error is None:
        return 0
    _say(str(answer.error))
    return answer.error.exit_code


def lines(action: str, answer: Answer) -> list[str]:
    """Return what is said to a person where all went well."""
    told = answer.told
    if action == VERIFY:
        fits = "fits this machine" if told["fits"] else f"not for this machine ({told['misfit']})"
        by = f"signed by {told['signed_by']}" if told["signed_by"] else (
            "signed, by whom was not asked" if told["signed"] else "not signed"
        )  # fmt: skip
        return [f"{told['identity']}: {told['files']} files are whole, {by}, {fits}"]
    said = []
    if told.get("undone"):
        said.append(f"{told['undone']} was not confirmed, so it is no longer in use")
    if told.get("removed"):
        said.append(f"deleted: {', '.join(told['removed'])}")
    marks = {told["previous"]: "  before", told["current"]: "  in use"}
    said += [f"{name}{marks.get(name, '')}" for name in told["releases"]]
    return said or ["no release is installed"]


def _checked(request: Request, identity: str | None) -> Answer:
    if (request.action == "activate") != (identity is not None):
        error = UsageError("activate ID: which one? list shows them" if identity is None else
                           f"{identity}: {request.action} takes no further word")  # fmt: skip
        return Answer({"error": {"code": error.code, "message": str(error)}}, error)
    return perform(request)


def _is_release(path: Path) -> bool:
    """Return whether the running ZIP is a release file, not the installer alone."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return NAME in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python3 {name}", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("action", nargs="?", default=INSTALL, choices=ACTIONS, help="see below; default: %(default)s")
    add("identity", nargs="?", metavar="ID", help="with activate: as list shows it")
    add("--prefix", type=Path, default=PREFIX, metavar="DIR", help="where to; default: %(default)s")
    add("--no-service", action="store_true", help="leave systemd and /usr/local/bin alone")
    add("--keep", type=_count, default=KEEP, metavar="N", help="releases kept; default: %(default)s")
    add("--wait", type=float, default=WAIT_S, metavar="S",
        help="seconds to wait for another installation; default: %(default)g")  # fmt: skip
    add("--allowed-signers", type=Path, metavar="FILE",
        help="whose signatures count; default: /etc/skin-edge/allowed_signers, if there")  # fmt: skip
    add("--json", action="store_true", help="one JSON object instead of text")
    add("--boot", action="store_true", help=argparse.SUPPRESS)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _say(text: str) -> None:
    shown = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    sys.stderr.write(f"skin-edge: {shown}\n")
    sys.stderr.flush()
