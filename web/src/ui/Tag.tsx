import type { Tone } from "@/desk/states";
import classes from "./Tag.module.css";

interface TagProps {
  tone: Tone | "live";
  children: string;
  title?: string;
  testId?: string;
}

/** A word on a tint; the word carries the meaning, the colour repeats it. */
export function Tag({ tone, children, title, testId }: TagProps) {
  return (
    <span className={`${classes.tag} ${classes[tone]}`} title={title} data-testid={testId}>
      {children}
    </span>
  );
}

export function ModeTag({ mode }: { mode: string }) {
  return mode === "live" ? (
    <Tag tone="live" title="Orders in this account go to a real broker with real money.">LIVE</Tag>
  ) : (
    <Tag tone="accent" title="Orders in this account are simulated.">PAPER</Tag>
  );
}
