import type { KeyboardEvent } from "react";

/** As a `ref`: takes the focus when it appears, where a dialog goes on to its next step. */
export const takeFocus = (node: HTMLElement | null): void => node?.focus();

/** A key that is held down from the step before does not press the button that has just appeared. */
export const ignoreHeld = (event: KeyboardEvent): void => {
  if (event.repeat) event.preventDefault();
};
