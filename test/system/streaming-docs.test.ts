import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { blocksOf } from './readme/blocks.ts';

interface ExampleConfig {
  readonly mediapipe_config_list: readonly { readonly name: string; readonly base_path: string }[];
}

const blocks = blocksOf(await readFile(join(ROOT, 'docs/streaming.md'), 'utf8'));
const [config, graph, helpers, ...examples] = blocks;

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  expect([config?.language, graph?.language, helpers?.language]).toEqual(['json', 'pbtxt', 'python']);
  folder = await ScratchFolder.create();
  await folder.put('gate/graph.pbtxt', graph?.text ?? '');
  const { mediapipe_config_list: graphs, ...rest } = JSON.parse(config?.text ?? '') as ExampleConfig;
  const inPlace = graphs.map((entry) =>
    entry.base_path === 'gate' ? entry : { ...entry, base_path: join(ROOT, entry.base_path) },
  );
  const path = await folder.put('config.json', { ...rest, mediapipe_config_list: inPlace });
  server = await startServer({ config: path, flags: ['--hosts', '1'] });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

async function runPython(text: string): Promise<string> {
  const child = spawn(await pythonPath(), ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (printed += piece));
  child.stdin.end(text.replaceAll('localhost:9000', server.grpcAddress));
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  return printed;
}

describe('docs/streaming.md', () => {
  it.each(examples)('line $line prints what is written there', async ({ language, text, output }) => {
    expect([language, output]).toEqual(['python', expect.any(String)]);
    expect(await runPython(`${helpers?.text}\n${text}`)).toBe(output);
  });
});
