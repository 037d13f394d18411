#!/usr/bin/env bash
# Joe's four cameras, made by ffmpeg, on a running server whose configuration allows them (config.json beside this):
#   millrace serve --config_path examples/stream-management/config.json
#   examples/stream-management/four-cameras.sh
# Ctrl-C ends the pipelines.
set -euo pipefail
url=${1:-http://127.0.0.1:8080}
millrace=(node "$(dirname "${BASH_SOURCE[0]}")/../../bin/millrace.js")

cameras=(camera-1 camera-2 camera-3 camera-4)
finish() {
  for camera in "${cameras[@]}"; do "${millrace[@]}" pipelines terminate "$camera" --url "$url" || true; done
}
trap finish EXIT
for camera in "${cameras[@]}"; do
  "${millrace[@]}" pipelines start 'lavfi:testsrc2=size=640x480:rate=15' --id "$camera" --udp 127.0.0.1:9999 --url "$url"
done
"${millrace[@]}" pipelines watch --url "$url"
