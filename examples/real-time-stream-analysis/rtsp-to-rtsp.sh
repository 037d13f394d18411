#!/usr/bin/env bash
# From one RTSP channel to another, as from a camera: a file is published in a loop to channel1, the client reads that and
# publishes the result to channel2, and the first seconds of that are recorded: rtsp-to-rtsp.sh [result.mp4 [seconds]]
#
# RTSP_URL says where an RTSP server is; without it the one of Millrace's tests is started.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
result="${1:-result.mp4}"
seconds="${2:-5}"

started=()
stop() {
  # The client first, then its publisher, then the RTSP server.
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    kill "${started[i]}" 2> /dev/null || true
    wait "${started[i]}" || true
  done
}
trap stop EXIT

if [[ -z "${RTSP_URL:-}" ]]; then
  RTSP_URL="rtsp://127.0.0.1:${RTSP_PORT:-8554}"
  node --import "$root/node_modules/tsx/dist/loader.mjs" "$root/test/support/rtsp-server.ts" "${RTSP_PORT:-8554}" &
  started+=($!)
  until (exec 3<> "/dev/tcp/127.0.0.1/${RTSP_PORT:-8554}") 2> /dev/null; do sleep 0.2; done
fi

ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i "$VIDEO" -an -c copy \
  -f rtsp -rtsp_transport tcp "$RTSP_URL/channel1" &
started+=($!)

# --retry: neither channel1 nor the RTSP server need be there yet.
"${client[@]}" --input_stream "$RTSP_URL/channel1" --output_stream "$RTSP_URL/channel2" --retry &
started+=($!)

for _ in $(seq 60); do
  ffmpeg -nostdin -loglevel error -rtsp_transport tcp -i "$RTSP_URL/channel2" -t "$seconds" -c copy -y "$result" 2> /dev/null || true
  if ffprobe -v error -show_entries stream=width -of csv "$result" 2> /dev/null | grep -q stream; then
    echo "recorded: $result"
    exit 0
  fi
  sleep 1
done
echo "nothing came from $RTSP_URL/channel2" >&2
exit 1
