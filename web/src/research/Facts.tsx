import { Fragment, type ReactNode } from "react";
import classes from "./Result.module.css";

export interface Fact {
  name: string;
  value: ReactNode;
  hint?: string;
}

/** Names and what they are, in as many columns as there is room for. */
export function Facts({ facts, label }: { facts: readonly Fact[]; label: string }) {
  return (
    <dl className={classes.facts} aria-label={label}>
      {facts.map(({ name, value, hint }) => (
        <div key={name} className={classes.fact} title={hint}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The few figures one looks at first. */
export function Tiles({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className={classes.tiles} aria-label="Figures at a glance">
      {facts.map(({ name, value, hint }) => (
        <Fragment key={name}>
          <div className={classes.tile} title={hint}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        </Fragment>
      ))}
    </dl>
  );
}
