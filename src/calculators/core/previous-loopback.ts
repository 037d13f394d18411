import {
  anyPacket,
  defineCalculator,
  nextTimestamp,
  sameAs,
  Timestamp,
  type OutputPort,
  type Packet,
} from '../../graph/index.ts';

/**
 * Pairs each MAIN packet with the LOOP packet that belonged to the previous one: PREV_LOOP carries it at MAIN's time, or
 * only a bound when there was none. LOOP is a back edge and must settle every time of MAIN.
 *
 * node { calculator: "PreviousLoopbackCalculator" input_stream: "MAIN:frames" input_stream: "LOOP:result"
 *        input_stream_info { tag_index: "LOOP" back_edge: true } output_stream: "PREV_LOOP:previous_result" }
 */
export const previousLoopback = defineCalculator({
  name: 'PreviousLoopbackCalculator',
  inputs: { MAIN: anyPacket, LOOP: anyPacket },
  outputs: { PREV_LOOP: sameAs('LOOP') },
  inputPolicy: 'ImmediateInputStreamHandler',
  processTimestampBounds: true,
  open() {
    /** MAIN times without an answer yet, and the LOOP time that each waits for. */
    const mains: { readonly timestamp: bigint; readonly loop: bigint }[] = [];
    /** LOOP times, packet or not. The first round has nothing before it. */
    const loops: { readonly timestamp: bigint; readonly packet: Packet | undefined }[] = [
      { timestamp: Timestamp.Unset, packet: undefined },
    ];
    let lastMain: bigint = Timestamp.Unstarted;
    let lastMainWithPacket: bigint = Timestamp.Unset;
    let lastLoop: bigint = Timestamp.Unset;
    return {
      process({ inputs: { MAIN, LOOP }, outputs: { PREV_LOOP } }) {
        if (MAIN.timestamp > lastMain) {
          lastMain = MAIN.timestamp;
          mains.push({ timestamp: lastMain, loop: MAIN.packet === undefined ? Timestamp.Unset : lastMainWithPacket });
          if (MAIN.packet !== undefined) lastMainWithPacket = lastMain;
        }
        if (LOOP.timestamp > lastLoop) {
          lastLoop = LOOP.timestamp;
          loops.push({ timestamp: lastLoop, packet: LOOP.packet });
        }
        for (;;) {
          const [main] = mains;
          const [loop] = loops;
          if (main === undefined || loop === undefined) break;
          if (main.loop >= loop.timestamp) loops.shift();
          if (main.loop > loop.timestamp) continue; // no MAIN packet waits for this one
          mains.shift();
          if (main.loop === loop.timestamp && loop.packet !== undefined) PREV_LOOP.send(loop.packet, main.timestamp);
          else settle(PREV_LOOP, nextTimestamp(main.timestamp));
        }
        if (mains.length === 0 && MAIN.isDone) PREV_LOOP.close();
      },
    };
  },
});

/** Nothing comes after the last time of the range: the output closes. */
function settle(output: OutputPort, bound: bigint): void {
  if (bound > Timestamp.Max) output.close();
  else output.setBound(bound);
}
