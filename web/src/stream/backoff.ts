const FIRST_MS = 400;
const LONGEST_MS = 15_000;

/** Exponential with full jitter over its upper half: many browsers do not come back in one wave. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
