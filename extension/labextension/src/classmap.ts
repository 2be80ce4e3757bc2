/** The text in which people say what incoming classes are called here: a line each, "incoming name = existing name". */

export interface IClassMap {
  /** Incoming name to the existing one, or to null to leave it out. */
  classes: Record<string, string | null>;
  /** Lines that say nothing, or a name for the second time. */
  wrong: string[];
}

export function readClassMap(text: string): IClassMap {
  const classes = new Map<string, string | null>();
  const wrong: string[] = [];
  for (const line of text.split('\n').filter(line => line.trim())) {
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(0, at)).trim();
    if (!name || classes.has(name)) {
      wrong.push(line.trim());
    } else {
      classes.set(name, line.slice(at + 1).trim() || null);
    }
  }
  return { classes: Object.fromEntries(classes), wrong };
}
