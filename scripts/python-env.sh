#!/usr/bin/env bash
# Makes .venv with the pinned Python clients that the conformance tests drive the server with, if it is absent or the
# pins changed. Prints the path of its interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pins=scripts/python-requirements.txt
python=.venv/bin/python
if ! cmp -s "$pins" .venv/installed.txt; then
  rm -rf .venv
  "${PYTHON:-python3}" -m venv .venv >&2
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$pins" >&2
  cp "$pins" .venv/installed.txt
fi
echo "$PWD/$python"
