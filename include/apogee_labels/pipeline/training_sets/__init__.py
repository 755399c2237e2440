"""Training sets made from a table of labels and the archive."""
