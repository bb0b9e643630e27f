import { makeRequest } from "@/api/client";
import { Problem } from "@/api/problem";
import type { Session } from "@/api/types";
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
    start(await inTurn(() => request<Session>("/auth/refresh", { method: "POST", open: true })));
    return true;
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
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

export async function signIn(username: string, password: string): Promise<void> {
  start(await request<Session>("/auth/login", { method: "POST", body: { username, password }, open: true }));
}

export async function signInByLink(token: string): Promise<void> {
  start(await request<Session>("/auth/link", { method: "POST", body: { token }, open: true }));
}

export async function signOut(): Promise<void> {
  try {
    await request<void>("/auth/logout", { method: "POST" });
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
