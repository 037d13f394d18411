import { expect } from 'vitest';
import type { TestServer } from './start-server.ts';

/** A request to `/v1/pipelines`, which must be answered with success. @param path of a pipeline, with its slash; '' is the list */
export async function callPipelines(server: TestServer, method: string, path: string, body?: object): Promise<unknown> {
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${server.restUrl}/v1/pipelines${path}`, { method, ...given });
  const text = await response.text();
  expect(response.ok, text).toBe(true);
  return JSON.parse(text);
}
