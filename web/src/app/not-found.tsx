import Link from "next/link";
import classes from "@/session/SignIn.module.css";

export default function NotFound() {
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <h1 className={classes.name}>Nothing at this address</h1>
        <p className="muted">The page may have moved, or the address was typed wrongly. Your desk is one click away.</p>
        <Link href="/" className={classes.link}>
          Go to the desk
        </Link>
      </div>
    </main>
  );
}
