/** What profiles have shown of the time between runs; beside the tables, which do not say where it goes. */
export const MODELS_ACCOUNT: readonly string[] = [
  'Where the rest goes, by `perf` and `strace` with the palm detection model on a busy machine:',
  '',
  '- **Many clients.** Of the host’s CPU time 91 % is in ONNX Runtime; 4 % is JavaScript, 1 % V8’s compiler, 1.2 % copying the request in',
  '  and the answer out, the rest allocations, the binding and the kernel. A request takes one read of the socket, one of the memory that',
  '  both processes have, one write of each, and two polls; the next requests are there whole when a run ends. Before messages went through that',
  '  memory it took two reads of 219 KB, all that a Unix socket holds, and the host waited for the front between them, and before the next',
  '  run until the front had read the answer; fresh memory cost 10 to 30 page faults a request, which are 1 to 10 now.',
  '- **One client.** Nothing overlaps: a run begins when the request has come all the way, and the next one when the answer has gone back. The',
  '  front takes some 1.1 ms of CPU for a request of 442 KB and its answer, of which 42 % are Node’s HTTP/2 (the client sends 27 frames of',
  '  16 KB), 17 % JavaScript, 17 % V8’s compiler, which is still at work after seconds of so few requests, 7 % the sockets, 4 % the memory to',
  '  the host. The client takes its own share. A target of 0.95 would leave a twentieth of a run for both ways.',
];

export const BATCHING_ACCOUNT: readonly string[] = [
  'All clients wait for the batch that runs, so that nobody sends while it does: between two runs all answers go out and all requests come in,',
  'one after another through one front, which takes some 60 µs for each. With twice as many clients as a batch has rows one half sends while the',
  'other’s batch runs. The loop has both cores to itself; the served model shares them with front and clients, and each of its layers ends',
  'when its slower thread does. A simulation with 3 ms per run, 0.18 ms per row and 60 µs per message (`src/runtime/batching/closed-loops.test.ts`) gives',
  '0.75 of the loop, with 16 clients, for all of whom the model waits, and with 32, for whom a wait would not pay.',
];
