"""Stars that are asked for by name."""
