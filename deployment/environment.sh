#!/bin/sh
# Makes .venv from lock files: sh deployment/environment.sh requirements.txt [requirements-dev.txt]
#
# .venv/.installed says what is in it: the project's folder, and the check sums of the locks and of pyproject.toml. An
# environment whose folder or lock differs, that was left half made or lost its Python is made anew; where pyproject.toml
# alone differs, the project is installed again; one that agrees costs a few milliseconds and no network.
set -eu

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

state() { # one line for the folder, for the project is installed editable from it, and one a file
    printf 'folder %s\n' "$PWD"
    for file in "$@"; do cksum "$file"; done
}

holds() { # is every line of the wanted state among those installed?
    [ -f .venv/.installed ] && .venv/bin/python -c '' 2>/dev/null || return 1
    state "$@" | while IFS= read -r line; do grep -qxF -- "$line" .venv/.installed || exit 1; done
}

suits() { # version in range; without uv the standard library must be able to make an environment
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || return 1
    [ -n "$uv" ] || "$1" -c 'import ensurepip, venv' 2>/dev/null || { bare="$1"; return 1; }
}

choose_python() {
    bare=''
    # shellcheck disable=SC2086  # the default is a list
    for python in ${PYTHON:+"$PYTHON"} ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if suits "$python"; then return 0; fi
    done
    [ -z "$bare" ] || fail "$bare cannot make a virtual environment (its venv or ensurepip is missing): install it (on Debian" \
        "and Ubuntu: apt-get install python3-venv) or install uv."
    found=$("${PYTHON:-python3}" --version 2>/dev/null || echo 'none')
    fail "Python 3.11, 3.12 or 3.13 is needed; ${PYTHON:-python3} is: $found. Install one of them, or name it:" \
        "make run PYTHON=/path/to/python3.11"
}

make_environment() {
    choose_python
    printf 'Making .venv with %s (%s)\n' "$("$python" --version)" "${uv:-venv and pip}" >&2
    rm -rf .venv
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --no-project --python "$python" .venv
    else
        "$python" -m venv .venv
    fi || fail ".venv could not be made in $PWD: is the folder writable, and has the disk room?"
}

install() {
    if [ -n "$uv" ]; then
        "$uv" pip install --quiet --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    fi || fail "The packages could not be installed: the first installation needs the network (a proxy or a mirror: see pip's" \
        "PIP_INDEX_URL or uv's UV_DEFAULT_INDEX). Run the same command again when it is there."
}

install_locks() {
    printf 'Installing %s\n' "$*" >&2
    for lock in "$@"; do set -- "$@" -r "$lock"; shift; done
    install "$@"
}

cd "$(dirname "$0")/.."
if holds pyproject.toml "$@"; then exit 0; fi
uv=$(command -v uv || true)
if ! holds "$@"; then
    if ! holds requirements.txt; then make_environment; fi
    rm -f .venv/.installed
    install_locks "$@"
fi
# The tool that builds it is in the lock: nothing else is fetched.
install --no-deps --no-build-isolation --editable .
state pyproject.toml "$@" >.venv/.installed
