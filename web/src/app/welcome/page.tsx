"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import type { SecondStep } from "@/api/types";
import { NoToken } from "@/session/NoToken";
import { PasswordForm } from "@/session/PasswordForm";
import { SecondStepForm } from "@/session/SecondStepForm";
import { accept } from "@/session/session";
import { useToken } from "@/session/useToken";

const TITLE = "Welcome to Evenkeel";

/** Where an invitation leads: one chooses a name and a password, and is in. */
export default function WelcomePage() {
  const router = useRouter();
  const token = useToken();
  const [second, setSecond] = useState<SecondStep | null>(null);
  if (second) return <SecondStepForm step={second} again={() => router.replace("/")} />;
  if (token === null) return null;
  if (!token) return <NoToken title={TITLE} />;
  const send = async (username: string, password: string) => {
    const next = await accept(token, username, password);
    if (next) setSecond(next);
    else router.replace("/");
  };
  return <PasswordForm title={TITLE} action="Join" named send={send} />;
}
