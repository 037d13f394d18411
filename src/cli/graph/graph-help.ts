/** Usage texts of the graph commands, by command. */
export const GRAPH_HELP = {
  check: `Usage: millrace graph check FILE…

Checks graph files (*.pbtxt; of a folder, all below it) without running them, and the subgraphs beside them that they use: the other *.pbtxt files of
the folder, by their "type". Prints every fault as file:line with its remedy. Exit code 1 when there are faults.

  --config_path <file>  Configuration whose calculators the graphs may use.
`,
  draw: `Usage: millrace graph draw FILE [--format mermaid|svg] [-o OUT]

Draws a graph: nodes after the expansion of subgraphs; streams as lines, back edges bold, side packets dashed.

  --format <form>       mermaid (the default; text that Markdown renders) or svg. From the ending of OUT: .svg, .mmd.
  -o, --output <file>   Where to write; standard output otherwise.
  --config_path <file>  Configuration whose calculators the graph may use.
`,
  run: `Usage: millrace graph run FILE [--input NAME=FILE]… [--side_packet NAME=VALUE]… [--observe STREAM]…

Runs a graph to its end without a server and prints the packets of its outputs, one JSON object a line:
{"stream":"output","timestamp":0,"tensor":{"datatype":"FP32","shape":[1],"data":[2]}}

  --input <name>=<file>         Packets of a graph input, in the order of time. Lines of JSON (*.jsonl), each
                                {"timestamp": 0, "value": 5} or {"timestamp": 0, "tensor": {"datatype", "shape", "data"}},
                                of a stream of requests {"timestamp": 0, "inputs": […]}; or an image, which is one packet.
                                Timestamps are microseconds; without one, that of the packet before + 1, from 0.
                                Several files of one input follow each other.
  --side_packet <name>=<value>  An input side packet, as JSON or text.
  --observe <stream>            Print this stream instead of the outputs; any stream of the graph. May be repeated.
  --config_path <file>          Configuration with the models and calculators that the graph uses; without it, those that
                                come with Millrace.
`,
  replay: `Usage: millrace graph replay CASES.json

Runs a list of cases, each a graph with the steps that are done to it (start, add, idle, close, close_all, done, side), and
prints as JSON what came of each: a list of {name, expected}, in the form in which MediaPipe's own engine was recorded.
`,
  trace: `Usage: millrace trace FILE [--input NAME=FILE]… [--side_packet NAME=VALUE]… -o trace.json

Runs a graph as "millrace graph run" does, without printing its packets, and writes when each node worked on what, in the
Chrome trace event format: open it in chrome://tracing or ui.perfetto.dev. A row per node; every call of Open, Process and
Close with its input timestamp, every packet with its own.

  -o, --output <file>   Where to write; standard output otherwise.
  --capacity <events>   Keep that many events, the newest. Default: trace_log_capacity of the graph's profiler_config, 20000.
  Other options as for "millrace graph run".

A server writes such a file for each session of a graph with profiler_config { trace_enabled: true trace_log_path: "…" }.
`,
} as const;

export type GraphCommand = keyof typeof GRAPH_HELP;

/** The text of `millrace graph --help`. */
export const GRAPH_OVERVIEW = `Usage: millrace graph check|draw|run|replay …

  check    Find every fault of graph files.
  draw     Draw a graph as Mermaid text or SVG.
  run      Run a graph without a server, on files.
  replay   Run recorded cases and print what comes of them.

And millrace trace: run a graph and write a Chrome trace. Each has its own --help.
`;
