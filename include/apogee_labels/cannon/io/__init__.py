"""The files of models, training sets and normalised spectra, checked as they are read."""
