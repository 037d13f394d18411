import { anyPacket, defineCalculator, optional, repeated, sameAs, Timestamp } from '../../graph/index.ts';
import { dropCounter } from './drop-service.ts';
import { copyHeaders } from './headers.ts';
import { bool, int } from './packet-types.ts';

/**
 * Passes packets while fewer than MAX_IN_FLIGHT (a side packet; 1 unless given) are being worked on, and drops the others:
 * nothing waits. Each packet of FINISHED, a back edge, makes room for one; what is dropped between output and FINISHED
 * keeps its place for ever. Data streams share the decision for a time. ALLOW tells of changes, at 1, 2, 3 …
 *
 * Kept for graphs that have it; FlowLimiterCalculator understands bounds and lets packets wait.
 *
 * node { calculator: "RealTimeFlowLimiterCalculator" input_stream: "frames" input_stream: "FINISHED:result"
 *        input_stream_info { tag_index: "FINISHED" back_edge: true } output_stream: "some_frames" }
 */
export const realTimeFlowLimiter = defineCalculator({
  name: 'RealTimeFlowLimiterCalculator',
  inputs: { '': repeated(anyPacket), FINISHED: anyPacket },
  outputs: { '': repeated(anyPacket), ALLOW: optional(bool) },
  inputSidePackets: { MAX_IN_FLIGHT: optional(int) },
  inputPolicy: 'ImmediateInputStreamHandler',
  contract({ inputs, outputs, fail }) {
    if (inputs.count('') !== outputs.count('')) fail('a flow limiter has as many data outputs as data inputs');
    for (const output of outputs) if (output.tag === '') output.type = sameAs('', output.index);
  },
  open({ sidePackets, inputs: { '': data }, outputs, hasService, service }) {
    const drop = dropCounter({ hasService, service });
    copyHeaders(data, outputs['']);
    const maxInFlight = Number(sidePackets.MAX_IN_FLIGHT ?? 1);
    if (maxInFlight < 1) throw new RangeError(`MAX_IN_FLIGHT is ${maxInFlight}, at least 1 expected`);
    let inFlight = 0;
    let changes = 0n;
    let lastDropped: bigint = Timestamp.Unset;
    /** Allowed times that a data stream has not come to yet. */
    const allowed = new Set<bigint>();
    /** Per data stream: the first time that it may still have. */
    const next: bigint[] = data.map(() => Timestamp.Min);
    return {
      process({ inputs: { '': data, FINISHED }, outputs: { '': sent, ALLOW } }) {
        const hadRoom = inFlight < maxInFlight;
        if (FINISHED.packet !== undefined) {
          if (inFlight === 0) throw new Error('a packet came on FINISHED while none was in flight');
          inFlight--;
        }
        data.forEach(({ packet, isDone }, at) => {
          const output = sent[at];
          if (output === undefined) return;
          if (packet === undefined) {
            if (isDone) output.close();
            return;
          }
          const { timestamp } = packet;
          next[at] = timestamp + 1n;
          if (!allowed.has(timestamp) && inFlight < maxInFlight && timestamp > lastDropped) {
            allowed.add(timestamp);
            inFlight++;
          }
          if (allowed.has(timestamp)) return output.send(packet);
          if (timestamp > lastDropped) lastDropped = timestamp;
          drop(1);
          output.setBound(timestamp + 1n);
        });
        for (const timestamp of allowed) if (next.every((t) => t > timestamp)) allowed.delete(timestamp);
        const hasRoom = inFlight < maxInFlight;
        if (hasRoom !== hadRoom) ALLOW?.send(hasRoom, ++changes);
      },
    };
  },
});
