import { backoff } from "./backoff";
import { DEAD_AFTER_MS, type LinkPhase } from "./freshness";
import { CHANNELS, type Channel, type ClientMessage, decode, type Delta, POLICIES, type Snapshot } from "./protocol";
import { type ChannelState, emptyChannel, reduce } from "./reducer";

const RESYNC_MS = 3_000;
const OPEN_WITHIN_MS = 10_000;

/** What the client needs of a WebSocket; a test hands in its own. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Ports {
  open(ticket: string): Socket;
  ticket(): Promise<string>;
  /** Runs `work` once at the next moment worth painting. */
  soon(work: () => void): void;
  publish(changed: Partial<Record<Channel, ChannelState>>): void;
  phase(phase: LinkPhase, detail: string | null): void;
  now(): number;
  random?(): number;
}

/**
 * One socket for all channels. Messages queue up and are applied together, once per painted frame. After a
 * gap or a lost connection each channel resumes from its last number and epoch, else takes a fresh snapshot.
 */
export class StreamClient {
  lastHeard: number | null = null;
  private socket: Socket | null = null;
  private states = new Map<Channel, ChannelState>(CHANNELS.map((channel) => [channel, emptyChannel()]));
  private queue: (Snapshot | Delta)[] = [];
  private painting = false;
  private attempt = 0;
  private generation = 0;
  private openedAt = 0;
  private running = false;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private resync = new Map<Channel, ReturnType<typeof setTimeout>>();

  constructor(private readonly ports: Ports) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    this.watch = setInterval(() => this.checkPulse(), 1_000);
    void this.connect();
  }

  stop(): void {
    this.running = false;
    clearTimeout(this.retry);
    clearInterval(this.watch);
    this.drop();
    this.ports.phase("stopped", null);
  }

  /** At once, whatever the back-off says: the user asked, or the network came back. */
  reconnect(): void {
    if (!this.running) return;
    this.attempt = 0;
    clearTimeout(this.retry);
    this.drop();
    void this.connect();
  }

  /** Asks for a channel anew, without what is held. */
  refresh(channel: Channel): void {
    const state = this.states.get(channel);
    if (state?.status === "error") this.set(channel, { ...state, status: "waiting", fault: null });
    if (this.socket) this.subscribe(channel, true);
    else this.reconnect();
  }

  private set(channel: Channel, state: ChannelState): void {
    this.states.set(channel, state);
    this.ports.publish({ [channel]: state });
  }

  private async connect(): Promise<void> {
    this.ports.phase("connecting", null);
    this.generation += 1;
    const mine = this.generation;
    try {
      const ticket = await this.ports.ticket();
      if (this.running && mine === this.generation) this.listen(this.ports.open(ticket));
    } catch (error) {
      if (mine === this.generation) this.comeBack(error instanceof Error ? error.message : "The stream could not be opened.");
    }
  }

  private listen(socket: Socket): void {
    this.socket = socket;
    this.openedAt = this.ports.now();
    const slow = setTimeout(() => this.socket === socket && this.lost("The stream did not open in time."), OPEN_WITHIN_MS);
    socket.onopen = () => {
      clearTimeout(slow);
      if (this.socket !== socket) return;
      this.openedAt = this.ports.now();
      this.ports.phase("open", null);
      for (const channel of CHANNELS) this.subscribe(channel, false);
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.hear(String(event.data));
    };
    socket.onclose = (event) => {
      clearTimeout(slow);
      if (this.socket === socket) this.lost(`The stream closed (code ${event.code}).`);
    };
  }

  private hear(text: string): void {
    this.lastHeard = this.ports.now();
    this.attempt = 0;
    const message = decode(text);
    if (message?.type === "error") this.fail(message.channel, message.detail);
    if (message?.type !== "snapshot" && message?.type !== "delta") return;
    this.queue.push(message);
    if (this.painting) return;
    this.painting = true;
    this.ports.soon(() => this.paint());
  }

  private paint(): void {
    this.painting = false;
    const queue = this.queue;
    this.queue = [];
    const changed: Partial<Record<Channel, ChannelState>> = {};
    for (const channel of CHANNELS) {
      const messages = queue.filter((message) => message.channel === channel);
      const before = this.states.get(channel);
      if (messages.length === 0 || !before) continue;
      const { state, verdict } = reduce(before, messages, POLICIES[channel]);
      if (state !== before) {
        this.states.set(channel, state);
        changed[channel] = state;
      }
      if (verdict === "gap") this.repair(channel);
      else if (state !== before) this.repaired(channel);
    }
    if (Object.keys(changed).length > 0) this.ports.publish(changed);
  }

  private repair(channel: Channel): void {
    if (this.resync.has(channel) || !this.socket) return;
    this.write({ op: "unsubscribe", channel });
    this.subscribe(channel, false);
    this.resync.set(channel, setTimeout(() => {
      this.resync.delete(channel);
      if (this.socket) this.subscribe(channel, true);
    }, RESYNC_MS));
  }

  private repaired(channel: Channel): void {
    clearTimeout(this.resync.get(channel));
    this.resync.delete(channel);
  }

  private subscribe(channel: Channel, fresh: boolean): void {
    const state = this.states.get(channel);
    if (fresh) this.write({ op: "unsubscribe", channel });
    const held = !fresh && state?.epoch ? { resume_from: state.seq, epoch: state.epoch } : {};
    this.write({ op: "subscribe", channel, ...held });
  }

  private write(message: ClientMessage): void {
    this.socket?.send(JSON.stringify(message));
  }

  private fail(channel: Channel | null, detail: string): void {
    const state = channel && this.states.get(channel);
    if (!channel || !state) return;
    this.set(channel, { ...state, status: state.epoch ? "ready" : "error", fault: detail });
  }

  private checkPulse(): void {
    if (!this.socket) return;
    const since = Math.max(this.lastHeard ?? 0, this.openedAt);
    if (this.ports.now() - since > DEAD_AFTER_MS) this.lost("Nothing was heard for 20 s.");
  }

  private lost(why: string): void {
    this.drop();
    this.comeBack(why);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (this.queue.length > 0) this.paint();
    for (const channel of [...this.resync.keys()]) this.repaired(channel);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private comeBack(why: string): void {
    if (!this.running) return;
    this.ports.phase("waiting", why);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.connect(), backoff(this.attempt, this.ports.random));
    this.attempt += 1;
  }
}
