"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import type { SecondStep } from "@/api/types";
import { SecondStepForm } from "./SecondStepForm";
import classes from "./SignIn.module.css";

interface Props {
  /** Signs in with what the address carried; always the same function, done once. */
  take(): Promise<SecondStep | null>;
  /** What stands above a fault. */
  title: string;
  said(error: unknown): string;
}

/** Signs in with what the browser arrived with, and goes on to the desk or to the second step. */
export function Arriving({ take, title, said }: Props) {
  const router = useRouter();
  const [fault, setFault] = useState<string | null>(null);
  const [second, setSecond] = useState<SecondStep | null>(null);
  useEffect(() => {
    take().then(
      (next) => (next ? setSecond(next) : router.replace("/")),
      (error: unknown) => setFault(said(error)),
    );
  }, [router, take, said]);
  if (second) return <SecondStepForm step={second} again={() => router.replace("/")} />;
  return (
    <main className={classes.page}>
      <div className={classes.card} role="status">
        <h1 className={classes.name}>{fault ? title : "Signing you in"}</h1>
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
