import { Button, Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Panel.module.css";

export interface PanelStateProps {
  status: "waiting" | "ready" | "error";
  fault: string | null;
  onRetry: () => void;
  isEmpty: boolean;
  /** What an empty panel says, and what to do about it. */
  empty: ReactNode;
  children: ReactNode;
}

/** What every panel shows while it waits, when it failed, when there is nothing, and else its content. */
export function PanelState({ status, fault, onRetry, isEmpty, empty, children }: PanelStateProps) {
  if (status === "waiting") {
    return (
      <div className={classes.skeleton} role="status" aria-label="Loading">
        {[92, 78, 86, 64].map((width) => (
          <Skeleton key={width} height={12} width={`${width}%`} />
        ))}
      </div>
    );
  }
  if (status === "error") {
    return (
      <div className={classes.state} role="alert">
        <p>{fault ?? "This could not be loaded."}</p>
        <Button size="compact-sm" variant="default" onClick={onRetry}>
          Try again
        </Button>
      </div>
    );
  }
  if (isEmpty) {
    return (
      <div className={classes.state}>
        <p>{empty}</p>
      </div>
    );
  }
  return children;
}
