"""The continuum: sines and cosines, fitted to regions without lines."""

from apogee_labels.cannon.continuum.normalization import normalize, read_regions

__all__ = ["normalize", "read_regions"]
