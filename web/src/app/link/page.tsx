"use client";

import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { explain, Problem } from "@/api/problem";
import type { SecondStep } from "@/api/types";
import classes from "@/session/SignIn.module.css";
import { SecondStepForm } from "@/session/SecondStepForm";
import { signInByLink } from "@/session/session";
import Link from "next/link";

/** A link works once, so it is taken once, however often the page mounts. */
let taking: Promise<SecondStep | null> | null = null;

function take(): Promise<SecondStep | null> {
  const token = new URLSearchParams(location.search).get("token");
  history.replaceState(null, "", location.pathname);
  if (!token) return Promise.reject(new Error("The address carries no sign-in token. Open the whole link that was printed."));
  return signInByLink(token);
}

const said = (error: unknown): string =>
  error instanceof Problem && error.status < 500
    ? "This link has been used already or has expired. Sign in with your user name and password instead."
    : explain(error);

export default function LinkPage() {
  const router = useRouter();
  const [fault, setFault] = useState<string | null>(null);
  const [second, setSecond] = useState<SecondStep | null>(null);
  useEffect(() => {
    taking ??= take();
    taking.then(
      (next) => (next ? setSecond(next) : router.replace("/")),
      (error: unknown) => setFault(said(error)),
    );
  }, [router]);
  if (second) return <SecondStepForm step={second} again={() => router.replace("/")} />;
  return (
    <main className={classes.page}>
      <div className={classes.card} role="status">
        <h1 className={classes.name}>{fault ? "The link did not work" : "Signing you in"}</h1>
        <p className="muted">{fault ?? "One moment."}</p>
        {fault && (
          <Link href="/" className={classes.link}>
            Go to sign in
          </Link>
        )}
      </div>
    </main>
  );
}
