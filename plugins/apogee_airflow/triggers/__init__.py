"""Triggers: they stat short lists of files, and leave everything heavier to the worker that they wake."""
