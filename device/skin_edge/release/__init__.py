"""Releases of skin-edge itself on a device: installed side by side, one of them in use."""
