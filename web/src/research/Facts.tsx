import type { ReactNode } from "react";
import classes from "./Result.module.css";

export interface Fact {
  name: string;
  value: ReactNode;
  hint?: string;
}

interface FactsProps {
  facts: readonly Fact[];
  label: string;
  /** As tiles: the few that one looks at first. */
  tiles?: boolean;
}

/** Names and what they are, in as many columns as there is room for. */
export function Facts({ facts, label, tiles = false }: FactsProps) {
  return (
    <dl className={tiles ? classes.tiles : classes.facts} aria-label={label}>
      {facts.map(({ name, value, hint }) => (
        <div key={name} className={tiles ? classes.tile : classes.fact} title={hint}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
