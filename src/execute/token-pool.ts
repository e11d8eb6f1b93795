/**
 * What stages share while they run: processors (`--jobs`), memory and GPUs, as tokens. Who asks with the highest priority
 * is served first; who is behind may go ahead only with tokens that nobody before it waits for. So a large request is
 * delayed by nothing that came to stand behind it, and the idle rest of the machine is still put to use.
 */

export interface Resources {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly gpus: number;
}

export interface TokenPool {
  /** Resolves with how to give them back. Asking for more than there are means all of them. */
  acquire(wanted: Resources, priority: number): Promise<() => void>;
}

interface Waiting {
  readonly tokens: Resources;
  readonly priority: number;
  readonly start: () => void;
}

export function createTokenPool(capacity: Resources): TokenPool {
  const held = new Set<Resources>();
  /** By falling priority; of equals, who came first. */
  let queue: readonly Waiting[] = [];
  const serve = (): void => {
    let free = [...held].reduce(minus, capacity);
    const waiting: Waiting[] = [];
    const started: Waiting[] = [];
    for (const request of queue) {
      if (fits(request.tokens, free)) {
        held.add(request.tokens);
        started.push(request);
      } else waiting.push(request);
      // What a waiting one asks for is kept for it, too.
      free = minus(free, request.tokens);
    }
    queue = waiting;
    for (const { start } of started) start();
  };
  return {
    acquire: (wanted, priority) =>
      new Promise((resolve) => {
        // A new object: it also stands for this very request.
        const tokens = atMost(wanted, capacity);
        const release = () => {
          if (held.delete(tokens)) serve();
        };
        const place = queue.findIndex((other) => other.priority < priority);
        queue = queue.toSpliced(place < 0 ? queue.length : place, 0, {
          tokens,
          priority,
          start: () => resolve(release),
        });
        serve();
      }),
  };
}

function atMost(wanted: Resources, capacity: Resources): Resources {
  return {
    cpus: Math.max(0, Math.min(wanted.cpus, capacity.cpus)),
    memoryBytes: Math.max(0, Math.min(wanted.memoryBytes, capacity.memoryBytes)),
    gpus: Math.max(0, Math.min(wanted.gpus, capacity.gpus)),
  };
}

function minus(a: Resources, b: Resources): Resources {
  return { cpus: a.cpus - b.cpus, memoryBytes: a.memoryBytes - b.memoryBytes, gpus: a.gpus - b.gpus };
}

/** Parts of a processor add up to a whole one, whatever the rounding. What is not asked for need not be there. */
const SLACK = 1e-9;

function fits(tokens: Resources, free: Resources): boolean {
  const has = (wanted: number, there: number): boolean => wanted === 0 || wanted <= there + SLACK;
  return has(tokens.cpus, free.cpus) && has(tokens.memoryBytes, free.memoryBytes) && has(tokens.gpus, free.gpus);
}
