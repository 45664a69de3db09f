"""skin-edge under systemd: what is installed where, how that is changed, and how the service is.

The files themselves are in the folder `systemd` at the top of the source tree, in an installation in `units`.
"""
