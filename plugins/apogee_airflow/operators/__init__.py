"""Thin operators: each reads its arguments, calls one step of apogee_labels.pipeline and returns a small reference."""
