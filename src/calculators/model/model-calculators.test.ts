import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import {
  CalculatorRegistry,
  GraphRun,
  parseGraphConfig,
  runCalculator,
  validateGraph,
  type CalculatorCase,
} from '../../graph/index.ts';
import type { ModelService } from '../../runtime/model-service.ts';
import type { ModelSession } from '../../runtime/model-session.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { inference } from './inference.ts';
import { modelSession } from './session.ts';

const vector = (name: string, ...values: number[]) => tensorOf(name, 'FP32', [values.length], new Float32Array(values));

/** sum = a + b, a and b FP32 [2]; and the number of runs. */
function createAdder(): ModelSession & { runs: number } {
  const spec = (name: string) => ({ name, datatype: 'FP32' as const, shape: [2] });
  return {
    name: 'adder',
    version: '1',
    inputs: [spec('a'), spec('b')],
    outputs: [spec('sum')],
    provider: 'cpu',
    runs: 0,
    async run(inputs) {
      this.runs++;
      const [a, b] = ['a', 'b'].map((name) => typedData(inputs.find((input) => input.name === name) as Tensor));
      return [vector('sum', Number(a?.[0]) + Number(b?.[0]), Number(a?.[1]) + Number(b?.[1]))];
    },
    async [Symbol.asyncDispose]() {},
  };
}

const tagged = (tag: string, name: string) => ({ key: tag, value: name });
const byTags = {
  tag_to_input_tensor_names: [tagged('A', 'a'), tagged('OVTENSOR', 'b')],
  tag_to_output_tensor_names: [tagged('SUM', 'sum')],
};

function infer(run: CalculatorCase, session = createAdder()) {
  return runCalculator(inference, { sidePackets: { SESSION: session }, ...run });
}

describe('OpenVINOInferenceCalculator', () => {
  it('runs the model once for each timestamp, streams mapped by tag', async () => {
    const session = createAdder();
    const inputs = {
      A: [[0, vector('x', 1, 2)], [3, vector('x', 5, 5)]],
      OVTENSOR: [[0, vector('y', 10, 20)], [3, vector('y', 1, 1)]],
    } as const; // prettier-ignore
    const { outputs } = await infer({ inputs, outputs: ['SUM'], options: byTags }, session);
    const packets = outputs['SUM'] ?? [];
    expect(packets.map(({ timestamp }) => timestamp)).toEqual([0n, 3n]);
    expect(packets.map(({ value }) => [...typedData(value as Tensor)])).toEqual([[11, 22], [6, 6]]); // prettier-ignore
    expect(session.runs).toBe(2);
  });

  it('takes and gives vectors of tensors in the order of the lists', async () => {
    const { outputs } = await infer({
      inputs: { OVTENSORS: [[0, [vector('x', 1, 2), vector('y', 3, 4)]]] },
      outputs: ['OVTENSORS'],
      options: { input_order_list: ['b', 'a'], output_order_list: 'sum' },
    });
    const [sum] = (outputs['OVTENSORS']?.[0]?.value ?? []) as Tensor[];
    expect(sum && [...typedData(sum)]).toEqual([4, 6]);
  });

  it('fails when an input has no packet, without running the model', async () => {
    const session = createAdder();
    const inputs = { A: [[0, vector('x', 1, 2)]], OVTENSOR: [] } as const;
    const work = infer({ inputs, outputs: ['SUM'], options: byTags }, session);
    await expect(work).rejects.toThrow(/input stream "in_ovtensor_0" has no packet/);
    await expect(work).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(session.runs).toBe(0);
  });

  it('checks the tensors before the run', async () => {
    const session = createAdder();
    const inputs = { A: [[0, vector('x', 1)]], OVTENSOR: [[0, vector('y', 1, 2)]] } as const;
    const work = infer({ inputs, outputs: ['SUM'], options: byTags }, session);
    await expect(work).rejects.toThrow(/unexpected shape for input 'a' for model 'adder'. Expected \[2\], got \[1\]/);
    expect(session.runs).toBe(0);
  });

  it('tells the model when the result of a queued run is wanted no more; then that is not the fault told', async () => {
    const config = parseGraphConfig(
      `input_stream: "a" input_side_packet: "s" node {
         calculator: "OpenVINOInferenceCalculator" input_side_packet: "SESSION:s"
         input_stream: "A:a" output_stream: "SUM:sum"
       }`,
      'test',
    );
    const run = new GraphRun(validateGraph(config, new CalculatorRegistry([inference])));
    const wanted: boolean[] = [];
    const session: ModelSession = {
      ...createAdder(),
      inputs: [{ name: 'A', datatype: 'FP32', shape: [2] }],
      outputs: [{ name: 'SUM', datatype: 'FP32', shape: [2] }],
      run(_inputs, isWanted = () => true) {
        wanted.push(isWanted());
        run.cancel(new MillraceError('DEADLINE_EXCEEDED', 'too late'));
        wanted.push(isWanted());
        throw new MillraceError('CANCELLED', 'not run');
      },
    };
    run.start(new Map([['s', session]]));
    run.addPacket('a', { value: vector('a', 1, 2), timestamp: 0n });
    await expect(run.waitUntilDone()).rejects.toThrow(/: \ntoo late$/);
    expect(wanted).toEqual([true, false]);
  });

  it('refuses to start for a tensor that the model lacks', async () => {
    const options = { ...byTags, tag_to_output_tensor_names: tagged('SUM', 'total') };
    const work = infer({ inputs: { A: [], OVTENSOR: [] }, outputs: ['SUM'], options });
    await expect(work).rejects.toThrow(/model "adder" has no output "total" \(stream tag "SUM"\); it has "sum"/);
    await expect(work).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  it('refuses a node whose options contradict each other, before any run', async () => {
    const options = { ...byTags, input_order_list: 'a' };
    const work = infer({ inputs: { A: [], OVTENSOR: [] }, outputs: ['SUM'], options });
    await expect(work).rejects.toThrow(/tag_to_input_tensor_names and input_order_list exclude each other/);
  });
});

describe('OpenVINOModelServerSessionCalculator', () => {
  const session = createAdder();
  const asked: [string, string][] = [];
  const models: ModelService = {
    session(name, version) {
      asked.push([name, version]);
      if (name === 'adder') return session;
      throw new MillraceError('SERVABLE_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
    },
  };
  const services = new Map([['models', models]]);
  const open = (options: Record<string, string>) =>
    runCalculator(modelSession, { outputSidePackets: ['SESSION'], options, services });

  it('hands out the model, of the default version unless told otherwise', async () => {
    expect((await open({ servable_name: 'adder' })).sidePackets['SESSION']).toBe(session);
    await open({ servable_name: 'adder', servable_version: '0' });
    await open({ servable_name: 'adder', servable_version: '3' });
    expect(asked).toEqual([['adder', ''], ['adder', ''], ['adder', '3']]); // prettier-ignore
  });

  it('refuses to start without the model, naming it', async () => {
    const work = open({ servable_name: 'missing', servable_version: '2' });
    await expect(work).rejects.toThrow(/servable "missing" version 2 failed to load the model: .*is not found/);
    await expect(work).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  it('needs a name and refuses models elsewhere', async () => {
    await expect(open({})).rejects.toThrow(/servable_name/);
    await expect(open({ servable_name: 'adder', service_url: 'host:9000' })).rejects.toThrow(/not supported/);
  });
});
