// The image's HEALTHCHECK: exit code 0 when the server of this container answers that it is ready.
const port = process.env.MILLRACE_REST_PORT ?? '8080';
try {
  const response = await fetch(`http://127.0.0.1:${port}/v2/health/ready`, { signal: AbortSignal.timeout(2_000) });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
