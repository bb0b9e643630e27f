import { useQuery } from "@tanstack/react-query";
import { getStatus } from "@/api/endpoints";
import type { SystemStatus } from "@/api/types";
import { useChannel } from "@/stream/store";

/** The system as the stream tells it; asked over REST until the stream has. */
export function useSystem(): { status: SystemStatus | undefined } {
  const { items } = useChannel("system");
  const live = items.values().next().value;
  const asked = useQuery({ queryKey: ["system"], queryFn: getStatus, enabled: live === undefined });
  return { status: live ?? asked.data };
}
