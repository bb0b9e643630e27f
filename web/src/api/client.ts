import { NoAnswer, problemFrom } from "./problem";

export const BASE = "/api/v2";

export interface Credentials {
  token(): string | null;
  /** Renews the access token by the cookie; false when there is no session left. */
  renew(): Promise<boolean>;
}

export interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  query?: Record<string, string | number | null | undefined>;
  /** Calls that make a session carry no access token and are not retried. */
  open?: boolean;
  /** Calls that the session cookie alone authorises show that they come from this page. */
  cookie?: boolean;
  timeout?: number;
  /** What the answer is, where it is not JSON. */
  as?: "text";
}

function address(path: string, query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (pairs.length === 0) return BASE + path;
  return `${BASE}${path}?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}

const CSRF = /(?:^|; )evenkeel_csrf=([0-9a-f]+)/;

/** The token that belongs to the session cookie, out of the cookie that scripts may read. */
export const csrfToken = (cookies: string): string => CSRF.exec(cookies)?.[1] ?? "";

async function send(path: string, call: Call, token: string | null): Promise<Response> {
  const headers = new Headers({ Accept: call.as === "text" ? "*/*" : "application/json" });
  if (call.body !== undefined) headers.set("Content-Type", "application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (call.cookie) headers.set("X-CSRF-Token", csrfToken(document.cookie));
  try {
    return await fetch(address(path, call.query), {
      method: call.method ?? "GET",
      headers,
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(call.timeout ?? 15_000),
    });
  } catch (error) {
    throw new NoAnswer(error);
  }
}

async function read<T>(response: Response, as?: Call["as"]): Promise<T> {
  if (!response.ok) throw await problemFrom(response);
  if (response.status === 204) return undefined as T;
  try {
    return (await (as === "text" ? response.text() : response.json())) as T;
  } catch (error) {
    throw new NoAnswer(error);
  }
}

/** Calls the API; on 401 renews the access token once and asks again. */
export function makeRequest(credentials: Credentials) {
  return async function request<T>(path: string, call: Call = {}): Promise<T> {
    if (call.open) return read<T>(await send(path, call, null), call.as);
    const first = await send(path, call, credentials.token());
    if (first.status !== 401 || !(await credentials.renew())) return read<T>(first, call.as);
    return read<T>(await send(path, call, credentials.token()), call.as);
  };
}
