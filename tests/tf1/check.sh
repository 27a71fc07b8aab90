#!/usr/bin/env bash
# Run the core on TensorFlow 1.15.5 and compare it with the TensorFlow of $PYTHON
# (.venv/bin/python). Python 3.7 is $PYTHON37, the PATH's python3.7 or pyenv's; where
# there is none, the last line says so and the exit status is 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=1.15.5
venv=.venv-tf1
python="${PYTHON:-.venv/bin/python}"
pyenv="${PYENV_ROOT:-${HOME:-}/.pyenv}"
trap 'status=$?; [ $status = 0 ] ||
    echo "TensorFlow $version FAILED its check (exit status $status), see above"' EXIT

find_python37() {
    local candidate
    for candidate in "${PYTHON37:-}" python3.7 "$pyenv"/versions/3.7*/bin/python; do
        # A shim of pyenv's may be there and not run, hence the try.
        if "$candidate" -c 'import sys, ensurepip, venv
sys.exit(sys.version_info[:2] != (3, 7))' > /dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

install() {
    echo "installing TensorFlow $version into $venv"
    rm -rf "$venv"
    "$1" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --upgrade 'pip<24.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r requirements-tf1.txt
    cp requirements-tf1.txt "$venv/installed.txt"
}

python37="$(find_python37)"
if [ -z "$python37" ]; then
    echo "TensorFlow $version was NOT checked: no Python 3.7 found (looked at" \
        "\$PYTHON37, python3.7 on the PATH, $pyenv/versions/3.7*)"
    exit 0
fi
if ! "$python" -c 'import tensorflow' > /dev/null 2>&1; then
    echo "no TensorFlow in $python, to compare with: make .venv or give \$PYTHON" >&2
    exit 1
fi
if ! "$venv/bin/python" -c '' 2> /dev/null ||
        ! cmp -s requirements-tf1.txt "$venv/installed.txt"; then
    install "$python37"
fi
"$venv/bin/python" tests/tf1/run_core.py "$python"
