"""How fast the engine is: ``make bench``, and beside the public implementations ``make bench-peers``."""
