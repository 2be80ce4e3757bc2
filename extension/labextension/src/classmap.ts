/** What people say incoming classes are called here, a line each. */

export interface IClassLine {
  /** As the class comes in. */
  name: string;
  /** The existing one; null to leave it out, undefined when that is not said yet. */
  existing?: string | null;
}

export interface IClassMap {
  /** Incoming name to the existing one, or to null to leave it out. */
  classes: Record<string, string | null>;
  /** Names that are there for the second time. */
  twice: string[];
}

export function readClassMap(lines: IClassLine[]): IClassMap {
  const classes = new Map<string, string | null>();
  const twice: string[] = [];
  for (const { name, existing } of lines) {
    const incoming = name.trim();
    if (classes.has(incoming)) {
      twice.push(incoming);
    } else if (incoming && existing !== undefined) {
      classes.set(incoming, existing);
    }
  }
  return { classes: Object.fromEntries(classes), twice };
}
