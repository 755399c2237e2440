"""What SDSS's APOGEE survey gives: its spectra, their bit masks, its archive of files and its nights."""
