"""What .env.example asks for, and an .env made as it says."""

from __future__ import annotations

import re
import subprocess

from tests.support.compose import PROJECT_ROOT

REQUIRED = re.compile(r"^(?P<name>[A-Z_]+)= +# (?P<remark>.*?)(?: {4,}.*)?$", re.MULTILINE)


def variables_of_example() -> dict[str, str]:
    """Return the command or the example beside each required variable."""
    text = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    return {match["name"]: match["remark"] for match in REQUIRED.finditer(text)}


def made_variables() -> dict[str, str]:
    """Run each command of .env.example and return the variables that come of it."""
    made = {}
    for name, remark in variables_of_example().items():
        if remark.startswith("openssl"):
            shell = subprocess.run(["sh", "-c", remark], capture_output=True, text=True, check=True, timeout=10)
            made[name] = shell.stdout.strip()
        else:
            made[name] = remark
    return made
