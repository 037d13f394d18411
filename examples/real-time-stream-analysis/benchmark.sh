#!/usr/bin/env bash
# How fast it goes: a line of JSON for each way of sending. More flags of the client may follow.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for encoding in raw jpeg; do
  for mode in --streaming_api --unary; do
    echo "encoding $encoding, $mode" >&2
    "${client[@]}" --input_stream "$VIDEO" --output_stream none --encoding "$encoding" "$mode" --benchmark "$@"
  done
done
