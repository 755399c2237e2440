"""A docker-compose file as Compose sees it: anchors resolved and variables put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT_ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = PROJECT_ROOT / "docker-compose.yaml"
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}|(?P<bad>))")


class MissingVariableError(ValueError):
    """A variable without a default is not set: Compose stops with its message."""


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Put variables into ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}``; ``$$`` is a dollar.

    Parameters
    ----------
    text
        A scalar of the file.
    variables
        What ``.env`` and the environment give.

    Raises
    ------
    MissingVariableError
        A variable without a default is not set or empty.
    ValueError
        A dollar that is none of these.
    """

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["bad"] is not None:
            raise ValueError(f"expected ${{NAME}} or $$, got {text[match.start() :]!r}: Compose would refuse it")
        given = variables.get(match["name"], "")
        if given or match["kind"] is None:
            return given
        if match["kind"] == ":-":
            return match["rest"]
        raise MissingVariableError(f"{match['name']}: {match['rest']}")

    return VARIABLE.sub(value, text)


def _fill(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _fill(child, variables) for key, child in node.items()}
    if isinstance(node, list):
        return [_fill(child, variables) for child in node]
    return substitute(node, variables) if isinstance(node, str) else node


def read_compose(variables: Mapping[str, str] | None = None, path: Path = COMPOSE_FILE) -> dict[str, Any]:
    """Read a docker-compose file; with variables they are put in, without them the text stays as it is written."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document if variables is None else _fill(document, variables)


def scalars(node: Any) -> list[str]:
    """List every string of a document, in its order."""
    if isinstance(node, dict):
        return [text for child in node.values() for text in scalars(child)]
    if isinstance(node, list):
        return [text for child in node for text in scalars(child)]
    return [node] if isinstance(node, str) else []
