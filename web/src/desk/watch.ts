import { useEffect, useState } from "react";
import { lastHeard } from "@/stream/live";
import { type Connection, describe, judge } from "@/stream/freshness";
import { useStream } from "@/stream/store";
import { notify } from "@/ui/notices";
import { useAccounts } from "./data";
import { openOrders } from "./states";

/** How fresh the desk is, looked at every second and whenever the link changes. */
export function useConnection(): Connection {
  const phase = useStream((state) => state.phase);
  const [connection, setConnection] = useState<Connection>({ kind: "connecting", age: null });
  useEffect(() => {
    const look = () => {
      const next = judge(phase, lastHeard(), Date.now());
      setConnection((held) =>
        held.kind === next.kind && (held.age === next.age || next.kind === "live") ? held : next,
      );
    };
    const first = setTimeout(look, 0);
    const timer = setInterval(look, 1_000);
    const soon = setTimeout(look, 250);
    return () => {
      clearTimeout(first);
      clearTimeout(soon);
      clearInterval(timer);
    };
  }, [phase]);
  return connection;
}

/** The page's title tells the connection and the open orders even when the tab is in the background. */
export function useTitle(): void {
  const connection = useConnection();
  const { list } = useAccounts();
  const open = openOrders(list);
  const text = `${describe(connection)} · ${open} open · Evenkeel`;
  useEffect(() => {
    document.title = text;
  }, [text]);
}

/** Critical events that arrive while the desk is open are shown at once. */
export function useAlarms(): void {
  useEffect(
    () =>
      useStream.subscribe((now, before) => {
        const [after, held] = [now.channels.events, before.channels.events];
        if (after === held || held.epoch === null || held.epoch !== after.epoch) return;
        for (const [id, event] of after.items) {
          if (event.level === "critical" && !held.items.has(id)) notify("critical", "Critical event", event.message);
        }
      }),
    [],
  );
}
