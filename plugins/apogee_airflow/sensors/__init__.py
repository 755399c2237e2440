"""Sensors: they look once, and wait in the triggerer, never in a worker."""
