#!/usr/bin/env bash
# Debian's packages that tests run against: Chromium (its SwiftShader is a GPU in software) and ffmpeg.
# Installs what is missing where that is possible; the tests that need a missing one say so and are skipped.
set -euo pipefail

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v ffmpeg > /dev/null || missing+=(ffmpeg)
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get > /dev/null; then
  echo "not installed, and only root on Debian can be helped: ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > /dev/null; then
  echo "could not be installed: ${missing[*]}" >&2
fi
