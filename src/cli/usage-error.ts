/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The command that explains the usage. */
  readonly help: string;

  constructor(message: string, help = 'millrace --help') {
    super(message);
    this.help = help;
  }
}
