/** The program of a host process; its front is at the other end of fd 3. */
import { Socket } from 'node:net';
import type { Level } from 'pino';
import { createLogger } from '../observability/logger.ts';
import { serveHost } from './serve-host.ts';

// A Ctrl-C reaches the whole process group; when to end is the front's to say, by closing the socket.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const logger = createLogger((process.env['MILLRACE_HOST_LOG_LEVEL'] ?? 'info') as Level).child({ pid: process.pid });
serveHost(new Socket({ fd: 3 }), logger, () => process.exit(0));
