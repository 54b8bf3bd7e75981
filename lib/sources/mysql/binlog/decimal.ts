const DIGITS_IN_WORD = 9;
/** Bytes that so many decimal digits take beside groups of nine. */
const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/** Bytes of a packed DECIMAL. */
export function decimalSize(precision: number, scale: number): number {
  const bytesOf = (digits: number): number =>
    Math.floor(digits / DIGITS_IN_WORD) * 4 + (BYTES_OF_DIGITS[digits % DIGITS_IN_WORD] ?? 0);
  return bytesOf(precision - scale) + bytesOf(scale);
}

/** Decodes MySQL's packed decimal: big-endian groups of nine digits, the sign in the first bit. */
export function readDecimal(packed: Buffer, precision: number, scale: number): string {
  const digits = Buffer.from(packed);
  const isNegative = ((digits[0] ?? 0) & 0x80) === 0;
  digits[0] = (digits[0] ?? 0) ^ 0x80;
  if (isNegative) for (const [index, byte] of digits.entries()) digits[index] = byte ^ 0xff;
  let at = 0;
  const take = (count: number): string => {
    const size = BYTES_OF_DIGITS[count] ?? 4;
    const text = size === 0 ? "" : String(digits.readUIntBE(at, size)).padStart(count, "0");
    at += size;
    return text;
  };
  const whole = precision - scale;
  let text = take(whole % DIGITS_IN_WORD);
  for (let word = 0; word < Math.floor(whole / DIGITS_IN_WORD); word++) text += take(DIGITS_IN_WORD);
  text = text === "" ? "0" : text;
  if (scale > 0) text += ".";
  for (let word = 0; word < Math.floor(scale / DIGITS_IN_WORD); word++) text += take(DIGITS_IN_WORD);
  text += take(scale % DIGITS_IN_WORD);
  return (isNegative ? "-" : "") + text.replace(/^0+(?=\d)/, "");
}
