"""Nights: what is listed, what became of it, its table and its drift."""
