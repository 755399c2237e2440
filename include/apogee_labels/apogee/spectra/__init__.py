"""Spectra as APOGEE's pipeline writes them, and their bit masks."""

from apogee_labels.apogee.spectra.apstar import ApStar, read_apstar

__all__ = ["ApStar", "read_apstar"]
