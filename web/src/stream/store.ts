import { create } from "zustand";
import type { LinkPhase } from "./freshness";
import { type Channel, CHANNELS, type ChannelItems } from "./protocol";
import { type ChannelState, emptyChannel } from "./reducer";

export type Channels = { [C in Channel]: ChannelState<ChannelItems[C]> };

interface StreamState {
  channels: Channels;
  phase: LinkPhase;
  /** Why the link is down, when it is. */
  detail: string | null;
}

const empty = (): Channels =>
  Object.fromEntries(CHANNELS.map((channel) => [channel, emptyChannel()])) as unknown as Channels;

export const useStream = create<StreamState>(() => ({ channels: empty(), phase: "connecting", detail: null }));

export const publish = (changed: Partial<Record<Channel, ChannelState>>): void =>
  useStream.setState(({ channels }) => ({ channels: { ...channels, ...(changed as Partial<Channels>) } }));

export const setPhase = (phase: LinkPhase, detail: string | null): void => useStream.setState({ phase, detail });

export const forget = (): void => useStream.setState({ channels: empty(), phase: "connecting", detail: null });

export const useChannel = <C extends Channel>(channel: C): Channels[C] =>
  useStream((state) => state.channels[channel]);
