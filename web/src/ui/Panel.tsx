import type { ReactNode } from "react";
import classes from "./Panel.module.css";

interface PanelProps {
  id: string;
  title: string;
  /** A few words beside the title, such as a count. */
  aside?: ReactNode;
  actions?: ReactNode;
  area: string;
  children: ReactNode;
}

/** A titled region of the desk, reachable by its anchor. */
export function Panel({ id, title, aside, actions, area, children }: PanelProps) {
  return (
    <section id={id} className={classes.panel} style={{ gridArea: area }} aria-labelledby={`${id}-title`} tabIndex={-1}>
      <header className={classes.header}>
        <h2 id={`${id}-title`} className={classes.title}>
          {title}
        </h2>
        {aside !== undefined && <span className={classes.aside}>{aside}</span>}
        <div className={classes.actions}>{actions}</div>
      </header>
      <div className={classes.body}>{children}</div>
    </section>
  );
}
