import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { getStatus } from "@/api/endpoints";
import type { SystemStatus } from "@/api/types";
import { useChannel } from "@/stream/store";

/** The trading clock: the status is told once a second, prices move it in between. */
export function useClock(): string | undefined {
  const { status } = useSystem();
  const { items } = useChannel("quotes");
  return useMemo(() => {
    const told = [status?.clock, ...[...items.values()].map((quote) => quote.at)].filter((at) => typeof at === "string");
    return told.reduce((latest, at) => (at > latest ? at : latest), told[0] ?? "") || undefined;
  }, [status?.clock, items]);
}

/** The system as the stream tells it; asked over REST until the stream has. */
export function useSystem(): { status: SystemStatus | undefined } {
  const { items } = useChannel("system");
  const live = items.values().next().value;
  const asked = useQuery({ queryKey: ["system"], queryFn: getStatus, enabled: live === undefined });
  return { status: live ?? asked.data };
}
