import type { CalculatorDefinition } from '../../graph/index.ts';
import { concatenateFloatVector } from './concatenate-vector.ts';
import { constantSidePacket } from './constant-side-packet.ts';
import { flowLimiter } from './flow-limiter.ts';
import { gate } from './gate.ts';
import { immediateMux, packetInnerJoin, roundRobinDemux, streamToSidePacket } from './join-and-demux.ts';
import { beginLoopFloat, endLoopFloat } from './loop.ts';
import { merge } from './merge.ts';
import { mux } from './mux.ts';
import { packetCloner } from './packet-cloner.ts';
import { packetPresence } from './packet-presence.ts';
import { packetResampler } from './packet-resampler.ts';
import { packetSequencer } from './packet-sequencer.ts';
import { packetThinner } from './packet-thinner.ts';
import { passThrough } from './pass-through.ts';
import { previousLoopback } from './previous-loopback.ts';
import { sequenceShift } from './sequence-shift.ts';
import { sidePacketToStream } from './side-packet-to-stream.ts';
import { splitFloatVector } from './split-vector.ts';
import { thresholding } from './thresholding.ts';
import { valueOrDefault } from './value-or-default.ts';

/** MediaPipe's standard calculators that know nothing of media. */
export const coreCalculators: readonly CalculatorDefinition[] = [
  beginLoopFloat,
  concatenateFloatVector,
  constantSidePacket,
  endLoopFloat,
  flowLimiter,
  gate,
  immediateMux,
  merge,
  mux,
  packetCloner,
  packetInnerJoin,
  packetPresence,
  packetResampler,
  packetSequencer,
  packetThinner,
  passThrough,
  previousLoopback,
  roundRobinDemux,
  sequenceShift,
  sidePacketToStream,
  splitFloatVector,
  streamToSidePacket,
  thresholding,
  valueOrDefault,
];
