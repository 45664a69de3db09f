"""skin-edge on the device: camera -> six-stage preprocessing -> classification -> results log, offline.

A triage and research aid, never a diagnosis.
"""

__version__ = "0.1.0"

DISCLAIMER = "Triage and research aid, not a diagnosis: a clinician decides."
