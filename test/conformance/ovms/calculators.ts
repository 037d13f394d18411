/** OVMS's test calculators (sheet §3.1), as a user of Millrace writes them. */
import {
  anyPacket,
  defineCalculator,
  MillraceError,
  repeated,
  tensorOf,
  tensorPacket,
  typedData,
  type Packet,
  type Tensor,
} from 'millrace';

const float = tensorPacket('FP32', [1]);

/** `x + by` under the output's name. */
function sum(name: string, packet: Packet<Tensor>, by: number): Tensor {
  return tensorOf(name, 'FP32', [1], Float32Array.of(Number(typedData(packet.value)[0]) + by));
}

/** +1, at the same timestamp. */
export const addOne = defineCalculator({
  name: 'AddOneSingleStreamTestCalculator',
  inputs: { '': float },
  outputs: { '': float },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const { packet } = inputs[''];
      if (packet !== undefined) outputs[''].send(sum(outputs[''].name, packet, 1));
    },
  }),
});

/** For one input x: x+1 at 1, x+2 at 2, x+3 at 3, driven by its own back edge; further inputs are not looked at. */
export const addOne3Cycles = defineCalculator({
  name: 'AddOne3CycleIterationsTestCalculator',
  inputs: { '': float, LOOPBACK: anyPacket },
  outputs: { '': float, LOOPBACK: anyPacket },
  inputPolicy: 'ImmediateInputStreamHandler',
  open() {
    let cycles = 0;
    let first: Packet<Tensor> | undefined;
    return {
      process({ inputs, outputs, stop }) {
        first ??= inputs[''].packet;
        if (first === undefined || cycles === 3) return;
        cycles++;
        const timestamp = BigInt(cycles);
        outputs[''].send({ value: sum(outputs[''].name, first, cycles), timestamp });
        outputs.LOOPBACK.send({ value: true, timestamp });
        if (cycles === 3) stop();
      },
    };
  },
});

/** Three numbers in, each +1 out; waits for all three as the default input policy does. */
export const addNumbers = defineCalculator({
  name: 'AddNumbersMultiInputsOutputsTestCalculator',
  inputs: { '': repeated(float) },
  outputs: { '': repeated(float) },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      inputs[''].forEach(({ packet }, at) => {
        if (packet !== undefined) outputs[''][at]?.send(sum(outputs[''][at].name, packet, 1));
      });
    },
  }),
});

/** Fails each time. */
export const errorInProcess = defineCalculator({
  name: 'ErrorInProcessTestCalculator',
  inputs: { '': float },
  outputs: { '': float },
  open: () => ({
    process() {
      throw new MillraceError('INVALID_PARAMETER', 'what the calculator says');
    },
  }),
});

/** Adds the side packet `val`, an int64. */
export const addSidePacket = defineCalculator({
  name: 'AddSidePacketToSingleStreamTestCalculator',
  inputs: { '': float },
  outputs: { '': float },
  inputSidePackets: { '': anyPacket },
  timestampOffset: 0,
  open: ({ sidePackets }) => ({
    process({ inputs, outputs }) {
      const { packet } = inputs[''];
      if (packet !== undefined) outputs[''].send(sum(outputs[''].name, packet, Number(sidePackets[''])));
    },
  }),
});

/** What the side packets `string_param`, `bool_param` and `int64_param` held, once for each number that comes. */
export const sidePackets = defineCalculator({
  name: 'InputSidePacketUserTestCalculator',
  inputs: { '': float },
  outputs: { STRING: tensorPacket('UINT8'), BOOL: tensorPacket('BOOL', [1]), INT64: tensorPacket('INT64', [1]) },
  inputSidePackets: { STRING: anyPacket, BOOL: anyPacket, INT64: anyPacket },
  timestampOffset: 0,
  open: ({ sidePackets: { STRING: text, BOOL: flag, INT64: whole } }) => ({
    process({ outputs }) {
      const bytes = new TextEncoder().encode(String(text));
      outputs.STRING.send(tensorOf(outputs.STRING.name, 'UINT8', [bytes.length], bytes));
      outputs.BOOL.send(tensorOf(outputs.BOOL.name, 'BOOL', [1], Uint8Array.of(Number(flag))));
      outputs.INT64.send(tensorOf(outputs.INT64.name, 'INT64', [1], BigInt64Array.of(whole as bigint)));
    },
  }),
});

/** Sends nothing, ever. */
export const silent = defineCalculator({
  name: 'NoOutputTestCalculator',
  inputs: { '': anyPacket },
  outputs: { '': anyPacket },
  open: () => ({ process() {} }),
});

/** Refuses its contract by an exception. */
export const throwing = defineCalculator({
  name: 'ExceptionDuringGetContractCalculator',
  inputs: { '': anyPacket },
  outputs: { '': anyPacket },
  contract() {
    throw new Error('what the contract says');
  },
  open() {},
});
