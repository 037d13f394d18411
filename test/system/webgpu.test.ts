import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** SwiftShader, a Vulkan GPU in software, as Debian's Chromium brings it. */
const SWIFT_SHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const model = (name: string, target_device: string): object => ({
  config: { name, base_path: join(ROOT, 'models/sensor_gru'), target_device },
});
const SIGNAL = {
  inputs: [
    { name: 'signal', datatype: 'FP32', shape: [1, 5], data: [0.5, 0.1, 0.2, 0.3, 0.4] },
    { name: 'state_in', datatype: 'FP32', shape: [1, 32], data: Array.from({ length: 32 }, () => 0) },
  ],
};

describe.skipIf(!existsSync(SWIFT_SHADER))('a model on WebGPU', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({
      config: {
        model_config_list: [model('gpu', 'WEBGPU'), model('either', 'HETERO:CUDA,WEBGPU,CPU'), model('cpu', 'CPU')],
        server: { hosts: 1 },
      },
      env: { VK_ICD_FILENAMES: SWIFT_SHADER },
    });
  }, 60_000);
  afterAll(() => server.stop());

  const scores = async (name: string): Promise<number[]> => {
    const answer = await fetch(`${server.restUrl}/v2/models/${name}/infer`, {
      method: 'POST',
      body: JSON.stringify(SIGNAL),
    });
    const { outputs } = (await answer.json()) as { outputs: { name: string; data: number[] }[] };
    return outputs.find((output) => output.name === 'scores')?.data ?? [];
  };

  it('answers as on the CPU', async () => {
    const expected = await scores('cpu');
    expect(expected).toHaveLength(5);
    const given = await scores('gpu');
    expect(given).toHaveLength(5);
    given.forEach((score, i) => expect(score).toBeCloseTo(expected[i] ?? NaN, 4));
  }, 60_000);

  it('is told in the metrics; a provider that is not there gives way to the next', async () => {
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toContain('millrace_model_provider{name="gpu",version="1",provider="webgpu"} 1');
    expect(metrics).toContain('millrace_model_provider{name="either",version="1",provider="webgpu"} 1');
    expect(metrics).toContain('millrace_model_provider{name="cpu",version="1",provider="cpu"} 1');
    expect(server.logs()).toMatch(/"model":"either".*"refusals":\[\{?"?[^\]]*cuda/i);
  });
});
