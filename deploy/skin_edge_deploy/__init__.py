"""Pushing bundles and the application to devices over SSH."""
