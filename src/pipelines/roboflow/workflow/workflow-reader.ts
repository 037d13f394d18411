import type { Reference, WorkflowStep } from '../../common/workflow/plan.ts';
import { STEP_OUTPUTS } from '../../common/workflow/plan.ts';
import { RoboflowFailure } from '../failure.ts';
import { pythonRepr } from '../python-text.ts';

/** A step as it was sent. */
export interface RawStep {
  readonly type: string;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a workflow was given to run with. */
export interface WorkflowInputs {
  /** Of the input that is the frame. */
  readonly imageInput: string;
  /** By the name of an input, the defaults of the workflow among them. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

const INPUT = /^\$inputs\.([A-Za-z_][A-Za-z0-9_-]*)$/;
const STEP_OUTPUT = /^\$steps\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_]+|\*)$/;

/** Reads the fields of steps: selectors are looked up among inputs, and among the steps that were read before. */
export class WorkflowReader {
  readonly #inputs: WorkflowInputs;
  readonly #known = new Map<string, { readonly kind: WorkflowStep['kind']; readonly level: number }>();

  constructor(inputs: WorkflowInputs) {
    this.#inputs = inputs;
  }

  /** A step was read: others may name its outputs. */
  add({ kind, name }: WorkflowStep, level: number): void {
    this.#known.set(name, { kind, level });
  }

  /** A setting: a literal, or the parameter that a selector names; undefined where the step has none, or null. */
  setting(step: RawStep, field: string): unknown {
    return this.resolve(step, field, step.fields[field]) ?? undefined;
  }

  /** @throws RoboflowFailure where it is no number */
  number(step: RawStep, field: string): number | undefined {
    const value = this.setting(step, field);
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    throw syntax(`${where(step)}: ${field}: ${pythonRepr(value)} given, a number expected`);
  }

  /** A literal, or the parameter that it names. @throws RoboflowFailure for a parameter that has no value */
  resolve(step: RawStep, field: string, value: unknown): unknown {
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    const [, name = ''] = INPUT.exec(value) ?? [];
    if (Object.hasOwn(this.#inputs.parameters, name)) return this.#inputs.parameters[name];
    const known = Object.keys(this.#inputs.parameters).join(', ') || 'none';
    throw syntax(
      `${where(step)}: ${field}: ${value} given, a value or a parameter expected that workflows_parameters, or a default_value, gives (${known})`,
    );
  }

  /**
   * Where a value comes from. @param names of the field; the first that there is counts
   * @throws RoboflowFailure for what is neither the frame nor an output of a step
   */
  reference(step: RawStep, ...names: readonly [string, ...string[]]): Reference {
    const field = names.find((name) => step.fields[name] !== undefined) ?? names[0];
    return this.parse(step.fields[field], `${where(step)}: ${field}`, false);
  }

  /** @param takesAll `$steps.name.*`, too */
  parse(selector: unknown, at: string, takesAll: boolean): Reference {
    if (selector === `$inputs.${this.#inputs.imageInput}`) return { from: 'frame' };
    const [, step = '', output = ''] = typeof selector === 'string' ? (STEP_OUTPUT.exec(selector) ?? []) : [];
    const known = this.#known.get(step);
    if (known !== undefined && ((output === '*' && takesAll) || STEP_OUTPUTS[known.kind].includes(output))) {
      return { from: 'step', step, output };
    }
    const outputs = [...this.#known].flatMap(([name, { kind }]) =>
      STEP_OUTPUTS[kind].map((each) => `$steps.${name}.${each}`),
    );
    const choice = [`$inputs.${this.#inputs.imageInput}`, ...outputs].join(', ');
    throw syntax(
      `${at}: ${pythonRepr(selector ?? null)} given, one of ${choice} expected`,
      'InvalidReferenceTargetError',
    );
  }

  /** 0: one value for the frame; 1: one for each picture that was cut out of it. */
  levelOf(reference: Reference): number {
    if (reference.from === 'frame') return 0;
    const { kind, level } = this.#known.get(reference.step) ?? { kind: 'property', level: 0 };
    return kind === 'crop' ? level + 1 : level;
  }

  /** @throws RoboflowFailure where the value is of another kind than `wanted` */
  expect(step: RawStep, field: string, reference: Reference, wanted: 'image' | 'predictions'): Reference {
    const output = reference.from === 'frame' ? 'image' : reference.output;
    const isImage = output === 'image' || output === 'crops';
    if (wanted === 'image' ? isImage : output === 'predictions') return reference;
    const things = wanted === 'image' ? 'an image' : 'detections';
    throw syntax(`${where(step)}: ${field}: ${pythonRepr(step.fields[field] ?? output)} given, ${things} expected`);
  }
}

/** The names of the steps that a step's fields refer to, in whatever depth. */
export function stepsNamedIn(value: unknown): string[] {
  if (typeof value === 'string') return [...(STEP_OUTPUT.exec(value)?.slice(1, 2) ?? [])];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(stepsNamedIn);
}

export function where({ name, type }: RawStep): string {
  return `step "${name}" (${type})`;
}

/** A workflow that cannot be run, in the words of generation B. */
export function syntax(message: string, errorClass = 'WorkflowSyntaxError'): RoboflowFailure {
  return new RoboflowFailure('invalid_payload', { errorClass, errorMessage: message, publicMessage: message });
}
