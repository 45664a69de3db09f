"""`python -m skin_edge` is `skin-edge`."""

from skin_edge.cli.main import main

main()
