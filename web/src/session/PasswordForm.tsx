"use client";

import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { explain } from "@/api/problem";
import { Note } from "@/ui/Note";
import classes from "./SignIn.module.css";

interface Props {
  title: string;
  action: string;
  /** Whether a user name is chosen too. */
  named: boolean;
  send(username: string, password: string): Promise<void>;
}

/** Chooses a password, and for who is invited a name. */
export function PasswordForm({ title, action, named, send }: Props) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setFault(null);
    setBusy(true);
    send(username.trim(), password)
      .catch((error: unknown) => setFault(explain(error)))
      .finally(() => setBusy(false));
  };
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <h1 className={classes.name}>{title}</h1>
        <form className={classes.form} onSubmit={submit} noValidate aria-label={title}>
          {fault && (
            <Note tone="bad" urgent testId="login-message">
              {fault}
            </Note>
          )}
          {named && (
            <TextInput
              label="User name"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              value={username}
              onChange={(event) => setUsername(event.currentTarget.value)}
            />
          )}
          <PasswordInput
            label="Password"
            description="8 characters or more; 15 are better. Any characters will do."
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Button type="submit" size="sm" loading={isBusy} disabled={password.length < 8 || (named && !username.trim())}>
            {action}
          </Button>
        </form>
      </div>
    </main>
  );
}
