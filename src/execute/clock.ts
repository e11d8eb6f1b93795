/** Time as the runner sees it, behind a port: what runs stages and what holds their workspace both need it. */
export interface Clock {
  /** Milliseconds that only go forward. */
  nowMs(): number;
  /** ISO 8601, UTC. */
  date(): string;
  /** Resolves after `ms`, or when `signal` is aborted. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}
