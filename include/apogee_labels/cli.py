"""The command ``apogee-labels``."""


def main() -> None:
    """Run it."""
