import { create } from "zustand";
import type { Session, User } from "@/api/types";

export type SessionPhase = "unknown" | "signed-out" | "signed-in";

interface SessionState {
  phase: SessionPhase;
  user: User | null;
  /** Why the sign-in page is shown, when it is not simply the first visit. */
  notice: string | null;
}

export const useSession = create<SessionState>(() => ({ phase: "unknown", user: null, notice: null }));

/** The access token lives in this variable only: never in storage, never in a cookie a script can read. */
let access: { token: string; expiresAt: number } | null = null;

export const accessToken = (): string | null => access?.token ?? null;
export const accessExpiresAt = (): number | null => access?.expiresAt ?? null;

export function begin(session: Session): void {
  access = { token: session.access_token, expiresAt: Date.now() + session.expires_in * 1000 };
  useSession.setState({ phase: "signed-in", user: session.user, notice: null });
}

export function end(notice: string | null = null): void {
  access = null;
  useSession.setState({ phase: "signed-out", user: null, notice });
}
