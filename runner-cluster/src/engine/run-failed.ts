import type { FailureCode } from "@millrace/contracts";

/** The attempt cannot go on, for a reason that its user is told. */
export class RunFailed extends Error {
  override readonly name = "RunFailed";
  readonly code: FailureCode;
  readonly retryable: boolean;
  constructor(code: FailureCode, message: string, options: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable;
  }
}
