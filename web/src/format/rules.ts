import { z } from "zod";

/** The content policy forbids code made at run time, which the rules of forms would try first. */
z.config({ jitless: true });

export { z };
