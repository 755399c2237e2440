"""From a file to labels: normalised, inferred, and inferred again by another model."""
