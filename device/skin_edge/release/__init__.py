"""Releases of skin-edge itself on a device: installed side by side, one of them in use.

Standard library only. A release file carries these modules and installs itself with them on a device that
has nothing else; on one that has skin-edge, its own are used, and nothing of the file is run unchecked.
"""
