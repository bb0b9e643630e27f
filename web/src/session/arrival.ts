/** The token of a link that was handed out: it stands behind the #, which browsers send nowhere. */
export const tokenOf = (place: { hash: string }): string => place.hash.replace(/^#/, "");

/** What an issuer sent the browser back with; null where it was refused there. */
export function cameBackWith(search: string): { state: string; code: string } | null {
  const given = new URLSearchParams(search);
  const state = given.get("state");
  const code = given.get("code");
  return state && code ? { state, code } : null;
}

/** What is carried here works once, so it is taken once, however often the page mounts. */
export function once<T>(take: () => Promise<T>): () => Promise<T> {
  let taking: Promise<T> | null = null;
  return () => (taking ??= take());
}
