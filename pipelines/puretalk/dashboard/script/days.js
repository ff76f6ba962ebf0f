// Days, as a field of a date gives them.

/** Whether a day, or none, is written to its end: while a year is typed, the field says 0002, 0020, 0202, then 2026.
 * @param {string} day */
export const isWholeDay = (day) => !day || day >= "1000";
