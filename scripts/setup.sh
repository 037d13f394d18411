#!/usr/bin/env bash
# Installs the pinned dependencies and builds dist/. Needs Node 20.19 or newer and its npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

npm ci
npm run build
