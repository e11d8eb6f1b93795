/** Tokens that running stages hold (`--jobs`): who asks with the highest priority gets them first. */

export interface TokenPool {
  /** Resolves with how to give them back. Asking for more than there are means all of them. */
  acquire(tokens: number, priority: number): Promise<() => void>;
}

interface Waiting {
  readonly tokens: number;
  readonly priority: number;
  readonly start: () => void;
}

export function createTokenPool(capacity: number): TokenPool {
  let free = capacity;
  const queue: Waiting[] = [];
  const serve = (): void => {
    // Strictly by priority: a small request behind a large one waits, or the large one would never start.
    while (queue.length > 0 && queue[0]!.tokens <= free) {
      const next = queue.shift()!;
      free -= next.tokens;
      next.start();
    }
  };
  return {
    acquire: (wanted, priority) =>
      new Promise((resolve) => {
        const tokens = Math.min(Math.max(1, wanted), capacity);
        let held = true;
        const release = () => {
          if (!held) return;
          held = false;
          free += tokens;
          serve();
        };
        const place = queue.findIndex((other) => other.priority < priority);
        queue.splice(place < 0 ? queue.length : place, 0, { tokens, priority, start: () => resolve(release) });
        serve();
      }),
  };
}
