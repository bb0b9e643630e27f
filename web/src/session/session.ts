import { makeRequest } from "@/api/client";
import { Problem } from "@/api/problem";
import type { SecondStep, Session } from "@/api/types";
import { accessExpiresAt, accessToken, begin, end, useSession } from "./store";

const RENEW_AHEAD_MS = 60_000;
const RETRY_MS = 5_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let renewal: Promise<boolean> | null = null;
const tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("evenkeel.session");

export const request = makeRequest({ token: accessToken, renew });

function start(session: Session): void {
  begin(session);
  clearTimeout(timer);
  timer = setTimeout(() => void renew().catch(later), Math.max(RETRY_MS, session.expires_in * 1000 - RENEW_AHEAD_MS));
}

function later(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void renew().catch(later), RETRY_MS);
}

/** Tabs renew one after the other, so that a rotating cookie is never presented twice. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
  return locks ? locks.request("evenkeel.session.renew", work) as Promise<T> : work();
}

async function renewOnce(): Promise<boolean> {
  try {
    start(await inTurn(() => request<Session>("/auth/refresh", { method: "POST", open: true, cookie: true })));
    return true;
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 401 && error.status !== 403)) throw error;
    clearTimeout(timer);
    const had = useSession.getState().phase === "signed-in";
    end(had ? "Your session has ended. Sign in again to continue." : null);
    return false;
  }
}

export function renew(): Promise<boolean> {
  renewal ??= renewOnce().finally(() => (renewal = null));
  return renewal;
}

/** Takes the first step; what it answers is the second step, or null where there is none and the session has begun. */
async function firstStep(path: string, body: object): Promise<SecondStep | null> {
  const answer = await request<Session | SecondStep | undefined>(path, { method: "POST", body, open: true });
  if (answer === undefined) return null;
  if ("two_factor" in answer) return answer;
  start(answer);
  return null;
}

export const signIn = (username: string, password: string) => firstStep("/auth/login", { username, password });
export const signInByLink = (token: string) => firstStep("/auth/link", { token });
export const comeBack = (state: string, code: string) => firstStep("/auth/elsewhere", { state, code });
export const accept = (token: string, username: string, password: string) =>
  firstStep("/auth/accept", { token, username, password });

export const setPassword = (token: string, password: string) =>
  request<void>("/auth/reset", { method: "POST", body: { token, password }, open: true });

/** The secret for a device that has to be set up before this sign-in goes on. */
export const beginDevice = (ticket: string) =>
  request<{ secret: string; uri: string }>("/auth/two-factor/begin", { method: "POST", body: { ticket }, open: true });

/** Takes the second step. The session begins when `enter` is called, so that recovery codes can be shown first. */
export async function secondStep(ticket: string, code: string): Promise<{ codes: string[]; enter: () => void }> {
  const session = await request<Session>("/auth/two-factor", { method: "POST", body: { ticket, code }, open: true });
  return { codes: session.recovery_codes ?? [], enter: () => start(session) };
}

export const listProviders = () =>
  request<{ items: { name: string; title: string }[] }>("/auth/providers", { open: true });

/** Leaves for an issuer elsewhere, which sends the browser back to /elsewhere. */
export async function leaveFor(provider: string): Promise<void> {
  const path = `/auth/elsewhere/${encodeURIComponent(provider)}`;
  const { address } = await request<{ address: string }>(path, { method: "POST", open: true });
  location.assign(address);
}

export async function signOut(): Promise<void> {
  try {
    await request<void>("/auth/logout", { method: "POST", cookie: true });
  } finally {
    clearTimeout(timer);
    end();
    tabs?.postMessage("signed-out");
  }
}

if (tabs) {
  tabs.onmessage = () => {
    clearTimeout(timer);
    end("You signed out in another tab.");
  };
}

/** A laptop that slept past the expiry renews as soon as it is looked at again. */
export function renewIfNear(): void {
  const expiry = accessExpiresAt();
  if (expiry !== null && expiry - Date.now() < RENEW_AHEAD_MS) void renew().catch(later);
}
