import type { WorkflowOutput, WorkflowPlan, WorkflowStep } from '../../common/workflow/plan.ts';
import { pythonRepr } from '../python-text.ts';
import { readStep } from './blocks.ts';
import { stepsNamedIn, syntax, where, WorkflowReader, type RawStep } from './workflow-reader.ts';

type Fields = Readonly<Record<string, unknown>>;

const MAX_STEPS = 64;

/**
 * Reads Roboflow's workflow JSON: the blocks of {@link readStep}, one of them an object detection model on the frame, in any
 * order.
 * @param parameters values of inputs, which go before their defaults
 * @param imageInput the name of the input that is the frame
 * @throws RoboflowFailure invalid_payload, with a class of Roboflow's, naming the step and the type of its block
 */
export function planWorkflow(specification: unknown, parameters: Fields, imageInput = 'image'): WorkflowPlan {
  const { inputs, steps, outputs } = (specification ?? {}) as Fields;
  if (!Array.isArray(steps) || !Array.isArray(outputs))
    throw syntax('workflow_specification: lists "steps" and "outputs" expected');
  if (steps.length > MAX_STEPS)
    throw syntax(`workflow_specification: ${steps.length} steps given, at most ${MAX_STEPS} expected`);
  const reader = new WorkflowReader({ imageInput, parameters: { ...defaultsOf(inputs), ...parameters } });
  const read = inOrder(steps.map(rawStep), reader);
  return { steps: mainFirst(read, imageInput), outputs: (outputs as Fields[]).map((each) => outputOf(each, reader)) };
}

/** Values of inputs that the workflow itself gives. */
function defaultsOf(inputs: unknown): Fields {
  if (!Array.isArray(inputs)) return {};
  return Object.fromEntries(
    (inputs as Fields[]).flatMap((input) => {
      const { name, default_value: value } = input ?? {};
      return typeof name === 'string' && value !== undefined && value !== null ? [[name, value]] : [];
    }),
  );
}

function rawStep(given: unknown, index: number): RawStep {
  const { type, name } = (given ?? {}) as Fields;
  if (typeof type !== 'string')
    throw syntax(`steps[${index}]: type: ${pythonRepr(type ?? null)} given, the type of a block expected`);
  if (typeof name !== 'string' || name === '') {
    throw syntax(`steps[${index}] (${type}): name: ${pythonRepr(name ?? null)} given, a text expected`);
  }
  return { type, name, fields: given as Fields };
}

/** Each step behind those that it names. */
function inOrder(steps: readonly RawStep[], reader: WorkflowReader): WorkflowStep[] {
  const names = new Set(steps.map(({ name }) => name));
  if (names.size < steps.length) {
    const twice = steps.find(({ name }, index) => steps.findIndex((each) => each.name === name) !== index);
    throw syntax(`two steps are named "${twice?.name ?? ''}"`, 'DuplicatedSymbolError');
  }
  const read: WorkflowStep[] = [];
  const done = new Set<string>();
  let left = [...steps];
  while (left.length > 0) {
    // What names a step that there is not is read too, so that it is complained of.
    const ready = left.filter(({ fields }) => stepsNamedIn(fields).every((name) => done.has(name) || !names.has(name)));
    if (ready.length === 0) {
      throw syntax(`steps wait for each other: ${left.map(where).join(', ')}`, 'InvalidWorkflowGraph');
    }
    for (const step of ready) {
      const each = readStep(step, reader);
      reader.add(each, levelOf(each, reader));
      read.push(each);
      done.add(step.name);
    }
    left = left.filter(({ name }) => !done.has(name));
  }
  return read;
}

function levelOf(step: WorkflowStep, reader: WorkflowReader): number {
  switch (step.kind) {
    case 'detect':
      return reader.levelOf(step.image);
    case 'filter':
      return reader.levelOf(step.predictions);
    case 'crop':
      return 0;
    case 'property':
      return reader.levelOf(step.data);
    case 'draw':
      return reader.levelOf(step.image);
  }
}

/** The model of the pipeline is the first that looks at the frame itself, of which it needs nothing else. */
function mainFirst(steps: readonly WorkflowStep[], imageInput: string): WorkflowStep[] {
  const main = steps.find((step) => step.kind === 'detect' && step.image.from === 'frame');
  if (main !== undefined) return [main, ...steps.filter((step) => step !== main)];
  const given = steps.map(({ name }) => name).join(', ') || 'none';
  throw syntax(`steps ${given} given, one of them an object detection model on $inputs.${imageInput} expected`);
}

function outputOf(given: Fields, reader: WorkflowReader): WorkflowOutput {
  const { name, selector, coordinates_system: system = 'parent' } = given ?? {};
  if (typeof name !== 'string') throw syntax(`outputs: name: ${pythonRepr(name ?? null)} given, a text expected`);
  if (system !== 'own' && system !== 'parent') {
    throw syntax(`output "${name}": coordinates_system: ${pythonRepr(system)} given, own or parent expected`);
  }
  return { name, of: reader.parse(selector, `output "${name}": selector`, true), isOwn: system === 'own' };
}
