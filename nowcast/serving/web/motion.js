/** Whether the reader asked for less motion. */
export const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
