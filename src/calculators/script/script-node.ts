import { messageOf } from '../../base/errors.ts';
import {
  GraphError,
  optional,
  PacketType,
  type CalculatorContext,
  type CalculatorInstance,
  type NodeContract,
} from '../../graph/index.ts';
import type { ScriptContext, ScriptHandler, ScriptOutputs } from '../../runtime/script/define-script.ts';
import { SCRIPT_SERVICE, type ScriptService } from '../../runtime/script/script-service.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { kindOf, tensorFault } from '../../tensor/tensor-fault.ts';
import { tensorPacket } from '../packet-types.ts';

const LOOPBACK = 'LOOPBACK';

/** Any value: what a loopback packet carries says nothing. */
const loopbackPacket = new PacketType<boolean>('Loopback', (value) => typeof value === 'boolean');

/** What a node with a user's script takes and gives: tensors, and LOOPBACK, by which a generator asks for its next turn. */
export const scriptPorts = { '*': tensorPacket(), [LOOPBACK]: optional(loopbackPacket) };

/** Refuses a LOOPBACK on one side, or one that would wait for ever. */
export function checkLoopback(node: NodeContract): void {
  const sides = [node.inputs.has(LOOPBACK), node.outputs.has(LOOPBACK)];
  if (sides[0] !== sides[1]) {
    node.fail(`${LOOPBACK} is on the ${sides[0] === true ? 'input' : 'output'} side only, on both or none expected`);
  }
  const loop = node.inputs.get(LOOPBACK);
  if (loop === undefined) node.timestampOffset = 0n;
  else if (!node.waitsForNoOther(loop)) {
    node.fail(
      `${LOOPBACK} waits for the other inputs, which would wait for ever; give it a set of its own: ` +
        'input_stream_handler { input_stream_handler: "SyncSetInputStreamHandler" ' +
        `options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "${LOOPBACK}:0" } } } }`,
    );
  }
}

/** @param isShared the script is begun and ended by others */
export async function openScript(context: CalculatorContext, isShared: boolean): Promise<CalculatorInstance> {
  const service = context.service<ScriptService>(SCRIPT_SERVICE);
  const { node, inputPorts, outputPorts } = context;
  return guarded(service, async () => {
    const handler = service.script(node);
    if (!isShared) {
      const { folder, logger, parameters } = service;
      const inputs = inputPorts.filter(isData).map(({ name }) => name);
      const outputs = outputPorts.filter(isData).map(({ name }) => name);
      await handler.initialize?.({ node, inputs, outputs, folder, parameters, logger });
    }
    return new ScriptNode(handler, service, !isShared);
  });
}

type Steps = Iterator<ScriptOutputs> | AsyncIterator<ScriptOutputs>;

/** One node of one run: at most one generator is at work, from one LOOPBACK packet to the next. */
class ScriptNode implements CalculatorInstance {
  readonly #handler: ScriptHandler;
  readonly #service: ScriptService;
  readonly #isOwner: boolean;
  #steps: Steps | undefined;
  /** Calls of `execute` under way: several with the node's `max_in_flight`, which generators cannot do with. */
  #executing = 0;
  /** Of the generator's next outputs. */
  #timestamp = 0n;

  constructor(handler: ScriptHandler, service: ScriptService, isOwner: boolean) {
    this.#handler = handler;
    this.#service = service;
    this.#isOwner = isOwner;
  }

  async process(context: CalculatorContext): Promise<void> {
    const inputs = context.inputPorts.flatMap(({ tag, name, packet }) =>
      packet === undefined || tag === LOOPBACK ? [] : [{ ...(packet.value as Tensor), name }],
    );
    const isLooping = !context.outputPorts.every(isData);
    if (inputs.length > 0 && (this.#steps !== undefined || (isLooping && this.#executing > 0))) {
      throw new GraphError(
        'RESOURCE_EXHAUSTED',
        'Node is already processing data. Create new stream for another request.',
      );
    }
    if (this.#steps !== undefined) return this.#step(this.#steps, context);
    if (inputs.length === 0) return; // the LOOPBACK packet of a generator that has ended
    const { timestamp, signal } = context;
    const { logger } = this.#service;
    const script: ScriptContext = { timestamp, signal, logger, parameters: this.#service.parametersAt(timestamp) };
    await guarded(this.#service, async () => {
      const result: unknown = await this.#execute(inputs, script);
      if (Array.isArray(result)) return this.#send(context, result, timestamp);
      if (!isIterator(result))
        throw new Error(`execute: ${kindOf(result)} given, a list of tensors or a generator expected`);
      if (!isLooping) {
        letGo(result);
        throw new Error(`execute yields, which needs ${LOOPBACK} among the node's inputs and outputs`);
      }
      this.#steps = result;
      this.#timestamp = timestamp;
    });
    if (this.#steps !== undefined) await this.#step(this.#steps, context);
  }

  async close(): Promise<void> {
    if (this.#steps !== undefined) letGo(this.#steps);
    if (!this.#isOwner) return;
    try {
      await this.#handler.finalize?.();
    } catch (error) {
      this.#service.logger.error({ error: messageOf(error), stack: stackOf(error) }, 'script failed to finalize');
    }
  }

  async #execute(inputs: readonly Tensor[], script: ScriptContext): Promise<unknown> {
    this.#executing++;
    try {
      return await this.#handler.execute(inputs, script);
    } finally {
      this.#executing--;
    }
  }

  /** One turn of the generator; its LOOPBACK packet asks for the next. */
  #step(steps: Steps, context: CalculatorContext): Promise<void> {
    return guarded(this.#service, async () => {
      const turn: IteratorResult<unknown, unknown> = await steps.next();
      const { done, value } = turn;
      if (done === true) {
        this.#steps = undefined;
        return;
      }
      if (!Array.isArray(value)) throw new Error(`execute yields: ${kindOf(value)} given, a list of tensors expected`);
      this.#send(context, value, this.#timestamp);
      context.outputPorts.find((port) => !isData(port))?.send(true, this.#timestamp++);
    });
  }

  #send({ outputPorts }: CalculatorContext, tensors: readonly unknown[], timestamp: bigint): void {
    const ports = outputPorts.filter(isData);
    for (const [i, value] of tensors.entries()) {
      const tensor = soundTensor(value, i);
      const port = ports.find(({ name }) => name === tensor.name) ?? ports.find(({ tag }) => tag === tensor.name);
      if (port === undefined) {
        const names = ports.map(({ name }) => `"${name}"`).join(', ');
        throw new Error(`the node has no output "${tensor.name}"; it has ${names || 'none'}`);
      }
      port.send(tensor, timestamp);
    }
  }
}

/** Not awaited: a generator that is in the middle of a call ends after that, if ever. */
function letGo(steps: Steps): void {
  void (async () => steps.return?.())().catch(() => {});
}

/** Runs a user's code: what it throws becomes OVMS's text with its message; its stack is only logged. */
async function guarded<T>(service: ScriptService, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    service.logger.error({ error: messageOf(error), stack: stackOf(error) }, 'script failed');
    throw new GraphError('INTERNAL', `Error occurred during graph execution - ${messageOf(error)}`, { cause: error });
  }
}

/** Checked here, and again where it leaves the graph, so that the message can name the place. */
function soundTensor(value: unknown, index: number): Tensor {
  const fault = tensorFault(value);
  if (fault === undefined) return value as Tensor;
  const name: unknown = (value as Partial<Tensor> | null | undefined)?.name;
  throw new Error(`execute: output ${typeof name === 'string' ? `"${name}"` : `[${index}]`}: ${fault}`);
}

function isData({ tag }: { readonly tag: string }): boolean {
  return tag !== LOOPBACK;
}

function isIterator(value: unknown): value is Steps {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Steps>).next === 'function';
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
