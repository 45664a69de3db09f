"""`python -m skin_edge` is `skin-edge`."""

from skin_edge.cli.main import console_script

console_script()
