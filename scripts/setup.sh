#!/usr/bin/env bash
# Installs the pinned dependencies and builds dist/. Needs Node 20.19 or newer and its npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# ONNX Runtime's CPU libraries are in its package; its install step would fetch CUDA files from elsewhere.
export ONNXRUNTIME_NODE_INSTALL=skip
npm ci
npm run build
