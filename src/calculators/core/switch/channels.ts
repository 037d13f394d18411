import { z } from 'zod';
import { nextTimestamp, Timestamp, type InputPort, type NodeContract, type OutputPort } from '../../../graph/index.ts';

/** Options that SwitchContainer shares with the two calculators it is made of. */
export const switchOptions = z.object({
  select: z.int().min(0).optional().describe('The channel at the start; 0 unless given.'),
  enable: z.boolean().optional().describe('The same: channel 1 if true, else 0.'),
  synchronizeIo: z.boolean().default(false).describe('Inputs are taken together, time by time (Default policy).'),
  asyncSelection: z
    .boolean()
    .default(false)
    .describe('Nothing waits for SELECT or ENABLE: the latest that came counts.'),
  tickInputStream: z
    .array(z.string())
    .default([])
    .describe(
      'Inputs, as `TAG:index`, at whose times there are results: a channel is left when its last one has come.',
    ),
});

export type SwitchOptions = z.infer<typeof switchOptions>;

export function channelTag(tag: string, channel: number): string {
  return `C${channel}__${tag}`;
}

/** The tag and channel of `C2__TAG`; nothing for another tag. */
export function parseChannelTag(text: string): { readonly tag: string; readonly channel: number } | undefined {
  const match = /^C(0|[1-9][0-9]*)__(.*)$/.exec(text);
  return match === null ? undefined : { channel: Number(match[1]), tag: match[2] ?? '' };
}

const TWO_CONTROLS = "Only one of SwitchContainer inputs 'ENABLE' and 'SELECT' can be specified";

/** Both ways to choose at once, as streams, as side packets or as options, are refused. */
export function refuseTwoControls({ inputs, inputSidePackets, options, fail }: NodeContract<SwitchOptions>): void {
  for (const ports of [inputs, inputSidePackets]) {
    if (ports.has('SELECT') && ports.has('ENABLE')) fail(TWO_CONTROLS);
  }
  if (options.select !== undefined && options.enable !== undefined) fail(TWO_CONTROLS.replace('inputs', 'options'));
}

export interface Controls {
  readonly SELECT?: InputPort<number> | undefined;
  readonly ENABLE?: InputPort<boolean> | undefined;
}

/** The channel chosen at the start: by side packet, else by option, else 0. */
export function firstChannel(
  { select, enable }: SwitchOptions,
  { SELECT, ENABLE }: { readonly SELECT: number | undefined; readonly ENABLE: boolean | undefined },
): number {
  return Number(SELECT ?? ENABLE ?? select ?? enable ?? 0);
}

/** Which channel is chosen at which time. A choice holds from its packet's time on. */
export class ChannelHistory {
  /** The lowest time whose channel is not known yet. */
  known: bigint;
  readonly #isAsync: boolean;
  /** Ascending; the first one holds the oldest time that is still of interest. */
  readonly #choices: { readonly from: bigint; readonly channel: number }[];

  /** `isAsync`: choices to come are not waited for. */
  constructor(first: number, isAsync: boolean) {
    this.#choices = [{ from: Timestamp.Unset, channel: first }];
    this.#isAsync = isAsync;
    this.known = isAsync ? Timestamp.Done : Timestamp.PreStream;
  }

  record({ SELECT, ENABLE }: Controls): void {
    const port = SELECT ?? ENABLE;
    if (port === undefined) return;
    const { packet } = port;
    if (packet !== undefined && Number(packet.value) !== this.#choices.at(-1)?.channel) {
      this.#choices.push({ from: packet.timestamp, channel: Number(packet.value) });
    }
    if (!this.#isAsync) this.known = boundOf(port);
  }

  /** The channel at `t`, and the time at which the next one begins if one is chosen. */
  at(t: bigint): { readonly channel: number; readonly end: bigint | undefined } {
    const next = this.#choices.findIndex(({ from }) => from > t);
    const current = this.#choices.at(next === -1 ? -1 : next - 1);
    return { channel: current?.channel ?? 0, end: this.#choices[next]?.from };
  }

  forgetBefore(t: bigint): void {
    while (this.#choices[1] !== undefined && this.#choices[1].from <= t) this.#choices.shift();
  }
}

/** The lowest timestamp that may still come on an input. */
export function boundOf({ timestamp, isDone }: InputPort): bigint {
  if (isDone) return Timestamp.Done;
  return timestamp <= Timestamp.Unstarted ? Timestamp.PreStream : nextTimestamp(timestamp);
}

/** Nothing more to come is told as a bound past every packet, as MediaPipe does; the output closes with the node. */
export function raise(output: OutputPort, bound: bigint): void {
  const told = earlier(bound, Timestamp.OneOverPostStream);
  if (told > output.bound) output.setBound(told);
}

export const earlier = (a: bigint, b: bigint | undefined): bigint => (b === undefined || a < b ? a : b);
