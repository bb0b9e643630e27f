import { create } from "zustand";
import type { Side } from "@/api/types";
import type { Zone } from "@/format/time";
import type { StateGroup } from "./states";

export interface Prefill {
  account_id?: string;
  symbol?: string;
  side?: Side;
}

interface DeskState {
  accountId: string | null;
  text: string;
  group: StateGroup;
  zone: Zone;
  ticket: { open: boolean; prefill: Prefill };
  orderId: string | null;
  help: boolean;
}

export const useDesk = create<DeskState>(() => ({
  accountId: null,
  text: "",
  group: "all",
  zone: "utc",
  ticket: { open: false, prefill: {} },
  orderId: null,
  help: false,
}));

export const selectAccount = (accountId: string | null): void => useDesk.setState({ accountId });
export const setText = (text: string): void => useDesk.setState({ text });
export const setGroup = (group: StateGroup): void => useDesk.setState({ group });
export const toggleZone = (): void => useDesk.setState(({ zone }) => ({ zone: zone === "utc" ? "local" : "utc" }));
export const openTicket = (prefill: Prefill = {}): void => useDesk.setState({ ticket: { open: true, prefill } });
export const closeTicket = (): void => useDesk.setState({ ticket: { open: false, prefill: {} } });
export const showOrder = (orderId: string | null): void => useDesk.setState({ orderId });
export const setHelp = (help: boolean): void => useDesk.setState({ help });
export const resetDesk = (): void => useDesk.setState({ accountId: null, text: "", group: "all", orderId: null });
