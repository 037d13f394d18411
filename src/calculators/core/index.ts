import type { NodeDefinition } from '../../graph/index.ts';
import { bypass } from './bypass.ts';
import { callback } from './callback.ts';
import { clockLatency, clockTimestamp } from './clock.ts';
import { constantSidePacket } from './constant-side-packet.ts';
import { countingSource } from './counting-source.ts';
import { dequantizeByteArray } from './dequantize-byte-array.ts';
import { flowLimiter } from './flow-limiter.ts';
import { gate } from './gate.ts';
import { addHeader } from './headers.ts';
import { immediateMux, packetInnerJoin, roundRobinDemux, streamToSidePacket } from './join-and-demux.ts';
import { beginItemLoop, endItemLoop } from './item-loop.ts';
import { makePair } from './make-pair.ts';
import { merge } from './merge.ts';
import { mux } from './mux.ts';
import { packetCloner } from './packet-cloner.ts';
import { packetLatency } from './packet-latency.ts';
import { packetPresence } from './packet-presence.ts';
import { packetResampler } from './packet-resampler.ts';
import { packetSequencer } from './packet-sequencer.ts';
import { packetThinner } from './packet-thinner.ts';
import { passThrough } from './pass-through.ts';
import { previousLoopback } from './previous-loopback.ts';
import { realTimeFlowLimiter } from './real-time-flow-limiter.ts';
import { sequenceShift } from './sequence-shift.ts';
import { sidePacketToStream } from './side-packet-to-stream.ts';
import { defaultSidePacket, stringToIntCalculators } from './side-packets.ts';
import { switchContainer } from './switch/switch-container.ts';
import { switchDemux } from './switch/switch-demux.ts';
import { switchMux } from './switch/switch-mux.ts';
import { thresholding } from './thresholding.ts';
import { valueVectorCalculators } from './vector-calculators.ts';
import { valueOrDefault } from './value-or-default.ts';

/** MediaPipe's standard calculators that know nothing of media. */
export const coreCalculators: readonly NodeDefinition[] = [
  addHeader,
  beginItemLoop,
  bypass,
  callback,
  clockLatency,
  clockTimestamp,
  constantSidePacket,
  countingSource,
  defaultSidePacket,
  dequantizeByteArray,
  endItemLoop,
  flowLimiter,
  gate,
  immediateMux,
  makePair,
  merge,
  mux,
  packetCloner,
  packetInnerJoin,
  packetLatency,
  packetPresence,
  packetResampler,
  packetSequencer,
  packetThinner,
  passThrough,
  previousLoopback,
  realTimeFlowLimiter,
  roundRobinDemux,
  sequenceShift,
  sidePacketToStream,
  streamToSidePacket,
  switchContainer,
  switchDemux,
  switchMux,
  thresholding,
  valueOrDefault,
  ...stringToIntCalculators,
  ...valueVectorCalculators,
];
