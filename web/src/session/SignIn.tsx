"use client";

import { Button, PasswordInput, TextInput } from "@mantine/core";
import type { SecondStep } from "@/api/types";
import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import { useEffect, useState } from "react";
import { explain, Problem } from "@/api/problem";
import { z } from "@/format/rules";
import { Logo } from "@/ui/Logo";
import { Note } from "@/ui/Note";
import { Elsewhere } from "./Elsewhere";
import { SecondStepForm } from "./SecondStepForm";
import { signIn } from "./session";
import classes from "./SignIn.module.css";
import { useSession } from "./store";

const schema = z.object({
  username: z.string().trim().min(1, "Enter your user name."),
  password: z.string().min(1, "Enter your password."),
});

const said = (error: unknown): string =>
  error instanceof Problem && error.status === 401 ? "The user name or the password is not right." : explain(error);

export function SignIn() {
  const notice = useSession((state) => state.notice);
  const [fault, setFault] = useState<string | null>(null);
  const [second, setSecond] = useState<SecondStep | null>(null);
  const { register, handleSubmit, formState, setFocus } = useForm({
    resolver: zodResolver(schema),
    defaultValues: { username: "", password: "" },
  });
  useEffect(() => {
    document.title = "Sign in · Evenkeel";
    setFocus("username");
  }, [setFocus]);
  const submit = handleSubmit(async ({ username, password }) => {
    setFault(null);
    await signIn(username, password).then(setSecond, (error: unknown) => setFault(said(error)));
  });
  if (second) return <SecondStepForm step={second} again={() => setSecond(null)} />;
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <h1 className={classes.name}>
          <Logo size={24} /> Evenkeel
        </h1>
        <p className="muted">One desk for every account.</p>
        <form className={classes.form} onSubmit={submit} noValidate aria-label="Sign in">
          {(fault ?? notice) && (
            <Note tone={fault ? "bad" : "accent"} urgent testId="login-message">
              {fault ?? notice}
            </Note>
          )}
          <TextInput
            label="User name"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            data-testid="login-username"
            error={formState.errors.username?.message}
            {...register("username")}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            data-testid="login-password"
            error={formState.errors.password?.message}
            {...register("password")}
          />
          <Button type="submit" size="sm" loading={formState.isSubmitting} data-testid="login-submit">
            Sign in
          </Button>
        </form>
        <Elsewhere tell={setFault} />
      </div>
    </main>
  );
}
