"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import type { SecondStep } from "@/api/types";
import { tokenOf } from "@/session/arrival";
import { PasswordForm } from "@/session/PasswordForm";
import { SecondStepForm } from "@/session/SecondStepForm";
import { accept } from "@/session/session";

/** Where an invitation leads: one chooses a name and a password, and is in. */
export default function WelcomePage() {
  const router = useRouter();
  const [second, setSecond] = useState<SecondStep | null>(null);
  const send = async (username: string, password: string) => {
    const next = await accept(tokenOf(location), username, password);
    if (next) setSecond(next);
    else router.replace("/");
  };
  if (second) return <SecondStepForm step={second} again={() => router.replace("/")} />;
  return <PasswordForm title="Welcome to Evenkeel" action="Join" named send={send} />;
}
