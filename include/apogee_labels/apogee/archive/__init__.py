"""The archive of an SDSS survey: its paths, releases, names of files, observatories and nights."""
