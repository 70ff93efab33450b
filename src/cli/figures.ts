/** Numbers as people read them. */

/** A whole number with commas: 15,895. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Bytes in megabytes or kilobytes of 1,000: 3.2 MB. */
export function bytes(value: number): string {
  const [size, unit] = value >= 1e6 ? [value / 1e6, "MB"] : [value / 1e3, "kB"];
  return `${size >= 100 ? count(size) : size.toFixed(1)} ${unit}`;
}
