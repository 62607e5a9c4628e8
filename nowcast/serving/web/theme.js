/** What the reader's system and choice say of looks. */

export const reduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const darkSystem = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark: by choice, or as the system has it. */
export const isDark = ({ theme }) => theme === "dark" || (theme === "auto" && darkSystem.matches);
