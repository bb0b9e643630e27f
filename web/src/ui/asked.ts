import { explain } from "@/api/problem";
import type { PanelStateProps } from "./PanelState";

interface Query {
  isPending: boolean;
  isError: boolean;
  error: Error | null;
  refetch: () => unknown;
}

/** What a panel shows of what was asked for over REST. */
export const asked = (query: Query): Pick<PanelStateProps, "status" | "fault" | "onRetry"> => ({
  status: query.isPending ? "waiting" : query.isError ? "error" : "ready",
  fault: query.error && explain(query.error),
  onRetry: () => void query.refetch(),
});
