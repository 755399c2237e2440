"""Inference: the labels of spectra, their errors and flags."""
