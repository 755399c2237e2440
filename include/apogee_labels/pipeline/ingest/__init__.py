"""Files that come: fetched, found by a scan, put on record or rejected."""
