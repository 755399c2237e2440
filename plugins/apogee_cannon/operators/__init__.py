"""Thin operators: each reads its arguments, calls one step of include.pipeline and returns a small reference."""
