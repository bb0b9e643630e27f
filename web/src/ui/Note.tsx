import type { ReactNode } from "react";
import classes from "./Note.module.css";

interface NoteProps {
  tone: "accent" | "warn" | "bad";
  title?: string;
  /** A fault interrupts a screen reader; everything else waits for a pause. */
  urgent?: boolean;
  testId?: string;
  className?: string;
  children: ReactNode;
}

export function Note({ tone, title, urgent = false, testId, className = "", children }: NoteProps) {
  return (
    <div className={`${classes.note} ${classes[tone]} ${className}`} role={urgent ? "alert" : "status"} data-testid={testId}>
      {title && <strong className={classes.title}>{title}</strong>}
      {children}
    </div>
  );
}
