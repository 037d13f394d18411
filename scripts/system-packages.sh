#!/usr/bin/env bash
# Debian's packages that tests run against: Chromium (its SwiftShader is a GPU in software), ffmpeg, GStreamer's RTSP server,
# Prometheus (where systemd runs, its package also starts it, on port 9090), openssl's client, and Xvfb, an X server without a screen.
# Installs what is missing where that is possible; the tests that need a missing one say so, and but for ffmpeg's are skipped.
set -euo pipefail

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v ffmpeg > /dev/null || missing+=(ffmpeg)
command -v prometheus > /dev/null || missing+=(prometheus)
command -v openssl > /dev/null || missing+=(openssl)
command -v Xvfb > /dev/null || missing+=(xvfb)
gst="import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
/usr/bin/python3 -c "$gst" 2> /dev/null ||
  missing+=(gstreamer1.0-rtsp gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{base,good,bad})
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get > /dev/null; then
  echo "not installed, and only root on Debian can be helped: ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > /dev/null; then
  echo "could not be installed: ${missing[*]}" >&2
fi
