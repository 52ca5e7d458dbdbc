// Figures as people read them; what is not known is a dash, never a zero.

export const BLANK = "–";

export function count(number) {
  if (number == null) return BLANK;
  if (number >= 1e6) return `${(number / 1e6).toFixed(1)}M`;
  return number >= 1e4 ? `${Math.round(number / 1e3)}k` : Math.round(number).toLocaleString("en");
}

export function rate(perMinute) {
  if (perMinute == null) return BLANK;
  return perMinute >= 100 ? count(perMinute) : perMinute.toFixed(perMinute < 10 ? 1 : 0);
}

export function money(usd) {
  if (usd == null) return BLANK;
  if (usd === 0) return "$0";
  let digits = 2;
  while (digits < 6 && usd < 10 ** (2 - digits)) digits += 1;
  return `$${usd.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

export function percent(share) {
  if (share == null) return BLANK;
  if (share > 0 && share < 0.005) return "<1 %";
  if (share < 1 && share >= 0.995) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

export function seconds(value) {
  if (value == null) return BLANK;
  if (value > 0 && value < 0.00995) return `${Number((value * 1000).toPrecision(2))} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`;
}

export function span(value) {
  const whole = Math.max(0, Math.round(value));
  if (whole < 90) return `${whole} s`;
  if (whole < 5400) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} days`;
}

export function bytes(held) {
  if (held == null) return null;
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (held >= size) return `${(held / size).toFixed(1)} ${unit}`;
  }
  return `${held} B`;
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

// a name from discovery may be longer than a line; the whole stands in the table
export function shortened(name, most = 48) {
  return name.length <= most ? name : `${name.slice(0, most - 17)}…${name.slice(-16)}`;
}

export function score(number) {
  return number == null ? BLANK : Math.abs(number) >= 100 ? number.toFixed(0) : number.toFixed(3);
}
