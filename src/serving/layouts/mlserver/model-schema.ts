import { z } from 'zod';
import { strictObject } from '../../../base/schema-issues.ts';
import { DATATYPES } from '../../../tensor/datatype.ts';
import { amount, flag, text, whole } from './fields.ts';

const texts = z.array(text);

const tensorSchema = z.looseObject({
  name: text.min(1),
  datatype: z.enum(DATATYPES as [string, ...string[]]),
  shape: z.array(z.int()),
  parameters: z.record(text, z.unknown()).nullish(),
});

/** `parameters` of a model. Keys that are not here are the runtime's. */
export const parametersSchema = z.object({
  uri: text.nullish().meta({
    description: 'Where the artefacts are, relative to the file; the runtime gets it absolute (`context.uri`).',
    standard: "the model's folder",
  }),
  version: z
    .union([text, z.number().transform(String)])
    .nullish()
    .meta({
      description:
        'The version, any text. Without one asked for, the one without a version is served, else the highest (by number if all are numbers, else by text).',
      standard: 'none',
    }),
  environment_path: text.nullish().meta({
    description:
      'A Python environment; its `bin/python` runs the model. Relative to the working directory, else to the file; `~` and `$NAME` are filled in.',
    standard: 'none',
  }),
  environment_tarball: text.nullish().meta({
    description:
      'A packed Python environment (conda-pack), relative to the file; it is unpacked once to environments_dir, under its SHA-256.',
    standard: 'none',
  }),
  inference_pool_gid: text.nullish().meta({
    description: 'Models with the same one, in the same language and Python environment, share their host processes.',
    standard: 'none: each model has its own',
  }),
  autogenerate_inference_pool_gid: flag.nullish().meta({
    description: 'The default here: each model has its own host processes.',
    standard: 'false',
  }),
  format: text.nullish().meta({ description: 'For the runtime.', standard: 'none' }),
  content_type: text
    .nullish()
    .meta({ description: 'How requests and responses are decoded where they do not say.', standard: 'none' }),
  extra: z.record(text, z.unknown()).nullish().meta({
    description: 'For the runtime (`context.parameters`), with all other keys of `parameters`.',
    standard: '{}',
  }),
});

/** What a timer can wait for at most. */
const timer = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .optional();

/** Our own keys of a model, which MLServer ignores. */
export const ownSchema = strictObject({
  max_sessions: z.int().min(1).optional().meta({
    description:
      'Streams that may be open at once; one more is refused. Default: as many as the option max_sessions lets.',
  }),
  load_timeout_ms: timer.meta({
    description: 'Longest load of an instance, import included; 0: none. Default 600000.',
  }),
  call_deadline_ms: timer.meta({
    description: 'Longest call of its code without a response; a longer one is ended. 0, the default: none.',
  }),
});

/** MLServer's model-settings.json (its sheet, §4), as {@link serverSchema}. */
export const modelSchema = z.object({
  implementation: text.min(1).meta({
    description:
      'The runtime: `text_model.TextModel` is the class in `text_model.py`, else the export of `text_model.ts`, else of `text_model.js`, beside the file, in the folder, or in the working directory; what is in none of them is imported by Python. `./text-model.ts` is a module and its default export, `./text-model.ts#Name` another one. `./model.onnx` is served as it is.',
    standard: 'required',
  }),
  name: text.optional().meta({ description: 'What requests call it.', standard: "the folder's name" }),
  platform: text.optional().meta({ description: 'In its metadata.', standard: '""' }),
  versions: texts.optional().meta({ description: 'In its metadata; free text.', standard: '[]' }),
  inputs: z.array(tensorSchema).optional().meta({
    description: 'In its metadata; requests are not checked against them. Content types are taken from here.',
    standard: '[]',
  }),
  outputs: z.array(tensorSchema).optional().meta({ description: 'In its metadata.', standard: '[]' }),
  parallel_workers: whole.pipe(z.int().min(0)).nullish().meta({
    description:
      "Instances of this model, where it should differ from the server's; 0 is 1. **Different:** MLServer goes by a 0 alone, and warns of all else.",
    standard: 'none',
  }),
  warm_workers: flag.optional().meta({
    description: 'Nothing, as in MLServer: instances are always started before the model is ready.',
    standard: 'false',
  }),
  max_batch_size: whole.pipe(z.int().min(0)).optional().meta({
    description: 'Unary requests that run as one, with max_batch_time; streams are not batched.',
    standard: '0',
  }),
  max_batch_time: amount.optional().meta({ description: 'Seconds that the first waits for others.', standard: '0' }),
  parameters: parametersSchema.nullish().meta({ description: 'See below.', standard: '{}' }),
  cache_enabled: flag.optional().meta({
    description: 'Responses to equal unary requests are remembered, if the server has cache_enabled, too.',
    standard: 'false',
  }),
  millrace: ownSchema.optional().meta({ description: 'Keys of Millrace, see below.', standard: '{}', ours: true }),
});

export type ModelFields = z.output<typeof modelSchema>;
export type ParameterFields = z.output<typeof parametersSchema>;
