import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeskEvent } from "@/api/types";
import { type Socket, StreamClient } from "@/stream/client";
import type { LinkPhase } from "@/stream/freshness";
import { CHANNELS } from "@/stream/protocol";
import type { ChannelState } from "@/stream/reducer";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closed = false;
  constructor(readonly ticket: string) {}
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.closed = true;
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  about(channel: string) {
    return this.sent.filter((message) => message.channel === channel);
  }
}

const event = (id: string): DeskEvent => ({
  id, at: "2005-09-01T20:00:00Z", level: "info", kind: "test", message: id, account_id: null, order_id: null, deployment_id: null,
});
const snapshot = (seq: number, ...ids: string[]) => ({ type: "snapshot", channel: "events", epoch: "e", seq, items: ids.map(event) });
const delta = (seq: number, id: string) => ({ type: "delta", channel: "events", seq, item: event(id) });

function world() {
  const sockets: FakeSocket[] = [];
  const phases: LinkPhase[] = [];
  const held: { events?: ChannelState } = {};
  let tickets = 0;
  const box = { refuse: false, paints: 0, publications: 0 };
  const client = new StreamClient({
    open: (ticket) => {
      const socket = new FakeSocket(ticket);
      sockets.push(socket);
      return socket;
    },
    ticket: async () => {
      if (box.refuse) throw new Error("no ticket");
      tickets += 1;
      return `t${tickets}`;
    },
    soon: (work) => void setTimeout(work, 16),
    publish: (changed) => {
      box.publications += 1;
      if (changed.events) held.events = changed.events;
    },
    phase: (phase) => phases.push(phase),
    now: Date.now,
    random: () => 1,
  });
  const last = () => sockets[sockets.length - 1] as FakeSocket;
  const opened = async () => {
    await vi.advanceTimersByTimeAsync(0);
    last().onopen?.();
    return last();
  };
  return { client, sockets, phases, held, box, last, opened };
}

const tick = (ms = 20) => vi.advanceTimersByTimeAsync(ms);

describe("StreamClient", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("opens with a ticket and subscribes to every channel afresh", async () => {
    const { client, opened, phases } = world();
    client.start();
    const socket = await opened();
    expect(socket.ticket).toBe("t1");
    expect(socket.sent).toHaveLength(CHANNELS.length);
    expect(socket.about("events")).toEqual([{ op: "subscribe", channel: "events" }]);
    expect(phases).toEqual(["connecting", "open"]);
    client.stop();
  });

  it("applies a burst in one publication", async () => {
    const { client, opened, held, box } = world();
    client.start();
    const socket = await opened();
    socket.say(snapshot(0));
    for (let seq = 1; seq <= 100; seq += 1) socket.say(delta(seq, `x${seq}`));
    await tick();
    expect(box.publications).toBe(1);
    expect(held.events?.items.size).toBe(100);
    client.stop();
  });

  it("resumes from its number and epoch with a new ticket after the socket closes", async () => {
    const { client, opened, last, phases, held } = world();
    client.start();
    const socket = await opened();
    socket.say(snapshot(3, "a"));
    socket.say(delta(4, "b"));
    socket.onclose?.({ code: 1012 });
    expect(phases.at(-1)).toBe("waiting");
    await tick(400);
    last().onopen?.();
    expect(last().ticket).toBe("t2");
    expect(last().about("events")).toEqual([{ op: "subscribe", channel: "events", resume_from: 4, epoch: "e" }]);
    last().say(delta(5, "c"));
    await tick();
    expect([...(held.events?.items.keys() ?? [])]).toEqual(["a", "b", "c"]);
    client.stop();
  });

  it("asks again from its number at a gap, and takes a snapshot if that does not help", async () => {
    const { client, opened, held } = world();
    client.start();
    const socket = await opened();
    socket.say(snapshot(3, "a"));
    socket.say(delta(5, "c"));
    await tick();
    expect(socket.about("events").slice(1)).toEqual([
      { op: "unsubscribe", channel: "events" },
      { op: "subscribe", channel: "events", resume_from: 3, epoch: "e" },
    ]);
    socket.say(delta(6, "d"));
    await tick();
    expect(socket.about("events")).toHaveLength(3);
    await tick(3_000);
    expect(socket.about("events").slice(3)).toEqual([
      { op: "unsubscribe", channel: "events" },
      { op: "subscribe", channel: "events" },
    ]);
    socket.say(snapshot(6, "a", "b", "c", "d"));
    await tick();
    expect(held.events?.items.size).toBe(4);
    client.stop();
  });

  it("does not ask for a snapshot when the missing numbers came", async () => {
    const { client, opened } = world();
    client.start();
    const socket = await opened();
    socket.say(snapshot(3, "a"));
    socket.say(delta(5, "c"));
    await tick();
    socket.say(delta(4, "b"));
    socket.say(delta(5, "c"));
    await tick(5_000);
    expect(socket.about("events")).toHaveLength(3);
    client.stop();
  });

  it("waits longer after each failure and not at all when asked", async () => {
    const { client, sockets, box } = world();
    box.refuse = true;
    client.start();
    await tick(400 + 800 + 1_600);
    expect(sockets).toHaveLength(0);
    box.refuse = false;
    client.reconnect();
    await tick(0);
    expect(sockets).toHaveLength(1);
    client.stop();
  });

  it("drops a socket that has been silent for twenty seconds, but not one just opened", async () => {
    const { client, opened, last, sockets } = world();
    client.start();
    const socket = await opened();
    socket.say(snapshot(1));
    await tick(22_000);
    expect(socket.closed).toBe(true);
    await tick(1_000);
    last().onopen?.();
    await tick(5_000);
    expect(sockets).toHaveLength(2);
    expect(last().closed).toBe(false);
    client.stop();
  });

  it("shows a channel's error, and not its absence, until a snapshot comes", async () => {
    const { client, opened, held } = world();
    client.start();
    const socket = await opened();
    socket.say({ type: "error", channel: "events", detail: "not now" });
    expect([held.events?.status, held.events?.fault]).toEqual(["error", "not now"]);
    client.refresh("events");
    expect(held.events?.status).toBe("waiting");
    socket.say(snapshot(1, "a"));
    await tick();
    expect([held.events?.status, held.events?.fault]).toEqual(["ready", null]);
    client.stop();
  });

  it("says nothing more once stopped", async () => {
    const { client, opened, sockets, phases } = world();
    client.start();
    const socket = await opened();
    client.stop();
    expect(socket.closed).toBe(true);
    await tick(60_000);
    expect(sockets).toHaveLength(1);
    expect(phases.at(-1)).toBe("stopped");
  });
});
