"""Files that are not here, fetched from SDSS's server or a mirror."""
