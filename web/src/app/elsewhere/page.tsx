"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { explain, Problem } from "@/api/problem";
import type { SecondStep } from "@/api/types";
import { cameBackWith } from "@/session/arrival";
import { SecondStepForm } from "@/session/SecondStepForm";
import { comeBack } from "@/session/session";
import classes from "@/session/SignIn.module.css";

/** A code works once, so it is taken once, however often the page mounts. */
let taking: Promise<SecondStep | null> | null = null;

function take(): Promise<SecondStep | null> {
  const found = cameBackWith(location.search);
  history.replaceState(null, "", location.pathname);
  return found ? comeBack(found.state, found.code) : Promise.reject(new Error("The sign-in elsewhere was not completed."));
}

const said = (error: unknown): string =>
  error instanceof Problem && error.status === 401 ? "Nobody here is known by this sign-in, or it took too long." : explain(error);

/** Where an issuer elsewhere sends the browser back to. */
export default function ElsewherePage() {
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
        <h1 className={classes.name}>{fault ? "The sign-in did not work" : "Signing you in"}</h1>
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
