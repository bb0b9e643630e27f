import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { renewIfNear } from "@/session/session";
import { openStream } from "./live";
import { useStream } from "./store";

/** The stream lives as long as the page; what was read over REST is read anew when the server's epoch changes. */
export function useStreaming(): void {
  const queries = useQueryClient();
  useEffect(() => {
    const close = openStream();
    const stop = useStream.subscribe((now, before) => {
      const [epoch, last] = [now.channels.system.epoch, before.channels.system.epoch];
      if (last !== null && epoch !== null && epoch !== last) void queries.invalidateQueries();
    });
    document.addEventListener("visibilitychange", renewIfNear);
    return () => {
      document.removeEventListener("visibilitychange", renewIfNear);
      stop();
      close();
      queries.clear();
    };
  }, [queries]);
}
