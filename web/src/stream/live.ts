import { streamTicket } from "@/api/endpoints";
import { BASE } from "@/api/client";
import { type Socket, StreamClient } from "./client";
import { forget, publish, setPhase } from "./store";

const FRAME_GAP_MS = 80;
const HIDDEN_GAP_MS = 1_000;

let lastPaint = 0;

/** The next frame, but not more often than the eye can use; a hidden tab has no frames. */
function soon(work: () => void): void {
  const run = () => {
    lastPaint = performance.now();
    work();
  };
  if (document.hidden) setTimeout(run, HIDDEN_GAP_MS);
  else setTimeout(() => requestAnimationFrameOr(run), Math.max(0, lastPaint + FRAME_GAP_MS - performance.now()));
}

/** A tab hidden between the two would never get its frame. */
function requestAnimationFrameOr(run: () => void): void {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    run();
  };
  requestAnimationFrame(once);
  setTimeout(once, HIDDEN_GAP_MS);
}

function open(ticket: string): Socket {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}${BASE}/stream?ticket=${encodeURIComponent(ticket)}`) as Socket;
}

let client: StreamClient | null = null;

export const lastHeard = (): number | null => client?.lastHeard ?? null;
export const reconnect = (): void => client?.reconnect();
export const refreshChannel: StreamClient["refresh"] = (channel) => client?.refresh(channel);

/** Starts the desk's stream; the returned function ends it and forgets what it held. */
export function openStream(): () => void {
  const mine = new StreamClient({
    open,
    ticket: async () => (await streamTicket()).ticket,
    soon,
    publish,
    phase: setPhase,
    now: Date.now,
  });
  client = mine;
  mine.start();
  const wake = () => {
    const heard = mine.lastHeard;
    if (!document.hidden && (heard === null || Date.now() - heard > 12_000)) mine.reconnect();
  };
  const online = () => mine.reconnect();
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", online);
  return () => {
    document.removeEventListener("visibilitychange", wake);
    window.removeEventListener("online", online);
    mine.stop();
    if (client === mine) client = null;
    forget();
  };
}
