/** Names that are taken, and the next that is free. The platform has the last word: it knows more of alphabets. */
const LONGEST = 120;

export function sameName(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}

/** The name itself when it is free; else with the first number behind it that makes it so. */
export function freeName(name: string, taken: readonly string[]): string {
  for (let number = 2, free = name; ; number++) {
    if (!taken.some(other => sameName(other, free))) {
      return free;
    }
    const end = `-${number}`;
    free = name.slice(0, LONGEST - end.length) + end;
  }
}
