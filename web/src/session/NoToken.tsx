import Link from "next/link";
import classes from "./SignIn.module.css";

/** In place of a form whose link was not opened whole, so that nobody fills it in for nothing. */
export function NoToken({ title }: { title: string }) {
  return (
    <main className={classes.page}>
      <div className={classes.card} role="status" data-testid="no-token">
        <h1 className={classes.name}>{title}</h1>
        <p className="muted">The address carries no token. Open the whole link that you were given; without one, ask whoever keeps this desk for it.</p>
        <Link href="/" className={classes.link}>
          Go to sign in
        </Link>
      </div>
    </main>
  );
}
