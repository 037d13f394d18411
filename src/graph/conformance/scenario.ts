import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineCalculator, repeated, type CalculatorDefinition } from '../calculator.ts';
import { CalculatorRegistry } from '../calculator-registry.ts';
import { GraphRun } from '../graph-run.ts';
import { parseGraphConfig } from '../parse-graph-config.ts';
import { anyPacket } from '../packet-type.ts';
import { copy, recorder } from '../test-kit.ts';
import { Timestamp, timestampName } from '../timestamp.ts';
import { validateGraph } from '../validate-graph.ts';

/**
 * A behaviour that MediaPipe's own tests assert, as data. Each step does something to the inputs, waits until the graph is
 * idle, and says what that made happen: all of it, so that an empty list asserts that nothing happened.
 *
 * Doing, separated by blanks: `a@5` a packet with value 5 at 5, `a@5=x` with value x, `a<10` bound 10, `a.` closes input a,
 * `!a@5` a packet that is refused, `.` closes all inputs and waits for the end, `.!` the same, but the run has failed.
 * Times may be PreStream, Min, Max, PostStream, OneOverPostStream, Done.
 *
 * Seen: `s@5=x` a packet of an observed stream, `s<5` its settled time (streams observed as `s<`), and the calls of the nodes
 * R (a packet at the input timestamp of each) and RB (bounds too), as `5 a=x b=-` and `close`.
 */
export interface Scenario {
  readonly name: string;
  readonly graph: string;
  readonly observe?: readonly string[];
  readonly steps: readonly (readonly [doing: string, ...seen: string[]])[];
}

/** Runs each as a test. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (_, scenario) => {
    const seen: string[] = [];
    const run = new GraphRun(
      validateGraph(parseGraphConfig(scenario.graph), new CalculatorRegistry(calculators(seen))),
    );
    for (const observed of scenario.observe ?? []) observe(run, observed, seen);
    run.start();
    await run.waitUntilIdle();
    for (const [doing, ...expected] of scenario.steps) {
      for (const command of doing.split(' ')) await obey(run, command);
      expect([doing, ...seen.splice(0)]).toEqual([doing, ...expected]);
    }
  });
}

function observe(run: GraphRun, observed: string, seen: string[]): void {
  const stream = observed.replace('<', '');
  const show = (value: unknown, time: string) =>
    seen.push(value === undefined ? `${stream}<${time}` : `${stream}@${time}=${value as string}`);
  run.observe(stream, ({ value, timestamp }) => show(value, shortName(timestamp)), { bounds: observed.endsWith('<') });
}

async function obey(run: GraphRun, command: string): Promise<void> {
  const packet = /^(!?)([a-z]+)@([^=]+)(?:=(.*))?$/.exec(command);
  const bound = /^(!?)([a-z]+)<(.+)$/.exec(command);
  if (command === '.' || command === '.!') {
    run.closeAllInputs();
    const done = run.waitUntilDone();
    if (command === '.') await done;
    else await expect(done).rejects.toThrow();
  } else if (packet !== null) {
    const [, refused, stream = '', time = '', value = time] = packet;
    const add = () => run.addPacket(stream, { value, timestamp: timeOf(time) });
    if (refused === '!') expect(add).toThrow();
    else add();
    if (refused === '') await run.waitUntilIdle();
  } else if (bound !== null) {
    const [, refused, stream = '', time = ''] = bound;
    const set = () => run.setInputBound(stream, timeOf(time));
    if (refused === '!') expect(set).toThrow();
    else set();
    await run.waitUntilIdle();
  } else {
    run.closeInput(command.slice(0, -1));
    await run.waitUntilIdle();
  }
}

function timeOf(name: string): bigint {
  return Object.hasOwn(Timestamp, name) ? Timestamp[name as keyof typeof Timestamp] : BigInt(name);
}

function shortName(t: bigint): string {
  return timestampName(t).replace(/^Timestamp::(\w+)\(\)$/, '$1');
}

/** What the scenarios' graphs are made of. */
function calculators(seen: string[]): readonly CalculatorDefinition[] {
  const calls: string[] = [];
  calls.push = (...texts) => seen.push(...texts.map((text) => text.replace(/^Timestamp::(\w+)\(\)/, '$1')));
  return [copy, recorder('R', calls), recorder('RB', calls, true), free, valve, shift, hold, everyOther];
}

const ports = { inputs: { '': repeated(anyPacket) }, outputs: { '': anyPacket } } as const;

/** Copies its first input, without a timestamp offset. */
const free = defineCalculator({
  name: 'Free',
  ...ports,
  open: () => ({
    process({ inputs, outputs }) {
      const packet = inputs[''][0]?.packet;
      if (packet !== undefined) outputs[''].send(packet);
    },
  }),
});

/** Blocks every packet, passes on that the time is settled. */
const valve = defineCalculator({
  name: 'Valve',
  ...ports,
  open: () => ({
    process({ outputs, timestamp }) {
      outputs[''].setBound(timestamp + 1n);
    },
  }),
});

/** Sends nothing; its offset says what that settles. */
const shift = defineCalculator({
  name: 'Shift',
  ...ports,
  options: z.object({ by: z.int().default(0), bound: z.int().optional(), packet: z.int().optional() }),
  open({ options, setTimestampOffset }) {
    setTimestampOffset(BigInt(options.by));
    return {
      process({ outputs }) {
        if (options.packet !== undefined) outputs[''].send('p', BigInt(options.packet));
        if (options.bound !== undefined) outputs[''].setBound(BigInt(options.bound));
      },
    };
  },
});

/** Holds the newest packet back until the next one or the end. */
const hold = defineCalculator({
  name: 'Hold',
  ...ports,
  open({ outputs }) {
    let held: { readonly value: unknown; readonly timestamp: bigint } | undefined;
    const letGo = () => held !== undefined && outputs[''].send(held);
    return {
      process({ inputs, timestamp }) {
        letGo();
        held = inputs[''][0]?.packet;
        outputs[''].setBound(timestamp);
      },
      close: () => void letGo(),
    };
  },
});

/** Passes packets at even times only; with an offset, so that odd ones are settled. */
const everyOther = defineCalculator({
  name: 'Even',
  ...ports,
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs, timestamp }) {
      const packet = inputs[''][0]?.packet;
      if (packet !== undefined && timestamp % 2n === 0n) outputs[''].send(packet);
    },
  }),
});
