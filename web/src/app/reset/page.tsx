"use client";

import { useRouter } from "next/navigation";
import { tokenOf } from "@/session/arrival";
import { PasswordForm } from "@/session/PasswordForm";
import { setPassword } from "@/session/session";

/** Where a reset link leads: one sets a password, and then signs in as always. */
export default function ResetPage() {
  const router = useRouter();
  const send = async (_: string, password: string) => {
    await setPassword(tokenOf(location), password);
    router.replace("/");
  };
  return <PasswordForm title="A new password" action="Set it" named={false} send={send} />;
}
