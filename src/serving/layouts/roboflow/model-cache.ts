import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import { fileFault } from '../../../base/file-fault.ts';
import type { DetectorFamily, DetectorInfo } from '../../../pipelines/common/detector-info.ts';
import type { BrokenServable, ModelSpec } from '../../servable-spec.ts';
import type { EntryContext, EntryResult } from '../entry.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { readJsonFile } from '../json-file.ts';
import { readPreprocessing } from './environment-file.ts';

/** By the beginning of `model_type`, the longest first. */
const FAMILIES: readonly (readonly [RegExp, DetectorFamily])[] = [
  [/^yolo-?_?nas/i, 'yolo-nas'],
  [/^yolov?26/i, 'yolo26'],
  [/^yolov?10/i, 'yolov10'],
  [/^yolov?(5|7)/i, 'yolov5'],
  [/^yolov?(8|9|11|12)/i, 'yolov8'],
];

const WEIGHTS = 'weights.onnx';

/**
 * The models in Roboflow's cache (sheet §5): `<folder>/<project>/<version>/` with weights.onnx, environment.json,
 * class_names.txt and model_type.json. The project is the servable's name, `project/version` is the model id.
 * @throws MillraceError CONFIG_INVALID where the folder cannot be read
 */
export async function readModelCache(folder: string, context: EntryContext): Promise<EntryResult[]> {
  const results: EntryResult[] = [];
  for (const project of await folders(folder)) {
    const specs: ModelSpec[] = [];
    const broken: BrokenServable[] = [];
    for (const version of (await folders(join(folder, project))).filter((name) => /^[1-9]\d*$/.test(name))) {
      const place = join(folder, project, version);
      const names = await readdir(place);
      if (!names.includes(WEIGHTS)) continue;
      try {
        specs.push(await readModel(project, version, place, names, context));
      } catch (error) {
        const reason = `${context.where}: ${project}/${version}: ${messageOf(error)}`;
        broken.push({ kind: 'model', name: project, version, reason });
      }
    }
    if (specs.length + broken.length === 0) continue;
    results.push({
      name: project,
      where: `${context.where}: ${project}`,
      specs,
      broken,
      files: [join(folder, project)],
    });
  }
  return results;
}

async function folders(path: string): Promise<string[]> {
  try {
    const children = await readdir(path, { withFileTypes: true });
    return children
      .filter((child) => child.isDirectory() && !child.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw new MillraceError('CONFIG_INVALID', `${path}: cannot be read: ${fileFault(error)}`);
  }
}

async function readModel(
  name: string,
  version: string,
  place: string,
  names: readonly string[],
  { runDeadlineMs }: EntryContext,
): Promise<ModelSpec> {
  const detector = await readDetector(place, names);
  const files = [WEIGHTS, ...names.filter((file) => file !== WEIGHTS).sort()].map((file) => join(place, file));
  const spec = {
    kind: 'model' as const,
    name,
    version,
    path: join(place, WEIGHTS),
    executionProviders: ['cpu'] as const,
    runDeadlineMs,
    detector,
  };
  return { ...spec, files, fingerprint: await fingerprintOf(spec, files) };
}

async function readDetector(place: string, names: readonly string[]): Promise<DetectorInfo> {
  const json = async (file: string): Promise<Readonly<Record<string, unknown>>> =>
    names.includes(file) ? ((await readJsonFile(join(place, file))) as Readonly<Record<string, unknown>>) : {};
  const { project_task_type: task, model_type: type } = await json('model_type.json');
  if (task !== undefined && task !== 'object-detection') {
    throw new MillraceError(
      'CONFIG_INVALID',
      `project_task_type ${JSON.stringify(task)} given, object-detection expected`,
    );
  }
  const family = FAMILIES.find(([pattern]) => pattern.test(String(type)))?.[1];
  if (type !== undefined && family === undefined) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `model_type ${JSON.stringify(type)} given, a YOLO of v5 to v12, 26 or NAS expected`,
    );
  }
  const environment = await json('environment.json');
  const listed = names.includes('class_names.txt') ? await classNames(join(place, 'class_names.txt')) : undefined;
  return {
    family,
    classNames: listed ?? classMap(environment['CLASS_MAP']) ?? [],
    preprocessing: readPreprocessing(environment['PREPROCESSING']),
  };
}

async function classNames(path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line, index) => line !== '' || index < lines.length - 1);
}

/** `{"0": "cat", …}` */
function classMap(given: unknown): string[] | undefined {
  if (given === null || typeof given !== 'object') return undefined;
  const names: string[] = [];
  for (const [id, name] of Object.entries(given)) if (/^\d{1,5}$/.test(id)) names[Number(id)] = String(name);
  return Array.from(names, (name, id) => name ?? String(id));
}
