// Marks (mark-seen, mark-read, mark-unread) that could not be sent yet. Marks of the same kind in the same channel become one,
// so the memory needed depends on the number of channels and not on the length of the outage.

const LARGEST_SET = 1_000; // `limits.setSize`
const OPPOSITE = { "mark-read": "mark-unread", "mark-unread": "mark-read" };

export const isMark = (type) => type === "mark-seen" || type in OPPOSITE;

export class KeptMarks {
  #marks = new Map(); // key → {type, channel, members, promises}, in the order in which they are to be sent

  /** `position` is what the client has of the channel: `all` means that much, and not what comes while it is offline. */
  keep({ type, members: { channel, ...selection }, position, promises }) {
    if (selection.all && position !== undefined) selection = { upTo: position };
    if ("seqs" in selection) return this.#keepSet(type, channel, selection.seqs, promises);
    if ("seq" in selection && type !== "mark-seen") return this.#keepSet(type, channel, [selection.seq], promises);
    const [[form, value]] = Object.entries(selection);
    const known = this.#remove(`${channel} ${type} ${form}`);
    const newest = typeof value === "number" ? Math.max(value, known?.members[form] ?? 0) : value;
    this.#add(`${channel} ${type} ${form}`, type, channel, { [form]: newest }, [...(known?.promises ?? []), ...promises]);
  }

  #keepSet(type, channel, seqs, promises) {
    const known = this.#remove(`${channel} ${type} seqs`);
    const opposite = this.#remove(`${channel} ${OPPOSITE[type]} seqs`);
    const undone = opposite?.members.seqs.filter((seq) => !seqs.includes(seq)) ?? [];
    const all = [...(known?.promises ?? []), ...promises];
    if (undone.length > 0) this.#add(`${channel} ${OPPOSITE[type]} seqs`, OPPOSITE[type], channel, { seqs: undone }, opposite.promises);
    else all.push(...(opposite?.promises ?? []));
    const union = [...new Set([...(known?.members.seqs ?? []), ...seqs])];
    this.#add(`${channel} ${type} seqs`, type, channel, { seqs: union.slice(-LARGEST_SET) }, all);
  }

  /** Takes out the marks of the channels for which `isReady` says so. */
  take(isReady) {
    const taken = [...this.#marks].filter(([, { channel }]) => isReady(channel));
    for (const [key] of taken) this.#marks.delete(key);
    return taken.map(([, { channel, members, ...mark }]) => ({ ...mark, members: { channel, ...members } }));
  }

  #add(key, type, channel, members, promises) {
    this.#marks.set(key, { type, channel, members, promises });
  }

  #remove(key) {
    const mark = this.#marks.get(key);
    this.#marks.delete(key);
    return mark;
  }
}
