"""`skin-edge kiosk`: the page on the device's own screen, until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skin_edge import DISCLAIMER
from skin_edge.cli import console
from skin_edge.cli.model_options import ModelOption, load_classifier
from skin_edge.cli.options import ConfigOption

if TYPE_CHECKING:
    from types import ModuleType

EPILOG = f"""\b
Serves a page for a touch screen: live picture, capture, result, history, settings.
Rows go to the same log as those of 'skin-edge capture'.
\b
Examples:
  skin-edge kiosk                          the first camera, http://127.0.0.1:8080/
  skin-edge kiosk --source demo --open     drawn lesions, and the page in a browser
  skin-edge kiosk --port 0 --json          any free port; prints {{"url": ...}}
  curl -s http://127.0.0.1:8080/healthz    is it well: 200, or 503 and why
\b
Only this machine can reach it. For others, set kiosk.tls_cert, kiosk.tls_key and
kiosk.token_file (docs/kiosk.md), then --host 0.0.0.0; they send the token.
A lost camera is opened again for ever; a forgotten PIN is undone by removing
kiosk-pin.json from the state folder.
\b
SIGTERM ends it with 0, Ctrl-C with 130; every result that was shown is in the log.
It needs the extra: pip install 'skin-edge[kiosk]'
{DISCLAIMER}
"""

#: What the extra `kiosk` brings.
_EXTRA = frozenset({"anyio", "argon2", "jinja2", "prometheus_client", "starlette", "uvicorn"})

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EPILOG)
def kiosk(
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="Where frames come from, as for 'capture'; default: the settings', else auto.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Address to listen at.  [default: 127.0.0.1]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65_535, help="TCP port; 0: any.  [default: 8080]"),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser, where there is one.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print {"url": ...} on stdout once it listens.')
    ] = False,
    model: ModelOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve the page for a touch screen on this machine."""
    serve = _serve_module()
    from skin_edge.config import load_config
    from skin_edge.sections import DEFAULT_SOURCE

    settings = load_config(config)

    def listening(url: str) -> None:
        if as_json:
            console.emit_json({"url": url})
        else:
            console.note(f"skin-edge: the kiosk is at {url}")
        if open_page:
            _open(url)

    serve.serve(
        settings,
        serve.Options(
            source=source or settings.capture.source or DEFAULT_SOURCE,
            host=host or settings.kiosk.host,
            port=settings.kiosk.port if port is None else port,
        ),
        load=lambda: load_classifier(settings, model),
        on_listening=listening,
    )


def _serve_module() -> ModuleType:
    """Return the module that serves; imported here, since only this command has use for it.

    Raises:
        UsageError: the extra is not installed.
    """
    from skin_edge.errors import UsageError

    try:
        from skin_edge.kiosk import serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        raise UsageError(
            f"'kiosk' needs {missing}, which is not installed: pip install 'skin-edge[kiosk]'",
            code="missing-extra",
        ) from None
    return serve


def _open(url: str) -> None:
    """Open the page in a browser; where there is none, say so and go on."""
    import threading
    import webbrowser

    def work() -> None:
        if not webbrowser.open(url):
            console.note(f"skin-edge: no browser found here; open {url} in one")

    threading.Thread(target=work, name="browser", daemon=True).start()
