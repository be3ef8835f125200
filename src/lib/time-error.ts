// Why a text is no time of RFC 3339, in the words of Go's parser, which built-in kinds' times are read with.

const steps: [shown: string, form: RegExp][] = [
  ["2006", /^\d{4}/],
  ["-", /^-/],
  ["01", /^\d\d/],
  ["-", /^-/],
  ["02", /^\d\d/],
  ["T", /^T/],
  ["15", /^\d\d?/],
  [":", /^:/],
  ["04", /^\d\d/],
  [":", /^:/],
];
const zone: [string, RegExp] = ["Z07:00", /^(?:Z|[+-]\d\d:\d\d)/];

const layouts = {
  seconds: {
    text: "2006-01-02T15:04:05Z07:00",
    whole: /^\d{4}-\d\d-\d\dT\d\d?:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/,
    steps: [...steps, ["05", /^\d\d(?:[.,]\d+)?/] as [string, RegExp], zone],
  },
  micros: {
    text: "2006-01-02T15:04:05.000000Z07:00",
    whole: /^\d{4}-\d\d-\d\dT\d\d?:\d\d:\d\d[.,]\d{6}(?:Z|[+-]\d\d:\d\d)$/,
    steps: [
      ...steps,
      ["05", /^\d\d/] as [string, RegExp],
      [".000000", /^[.,]\d{6}(?!\d)/] as [string, RegExp],
      zone,
    ],
  },
};

const daysMax = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function rangeError(text: string): string | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text
    .split(/\D/)
    .map(Number);
  if (month < 1 || month > 12) return "month";
  const isShort = month === 2 && day === 29 && !isLeap(year);
  if (day < 1 || day > daysMax[month - 1]! || isShort) return "day";
  if (hour > 23) return "hour";
  if (minute > 59) return "minute";
  return second > 59 ? "second" : undefined;
}

/** Pure; undefined when it is one. `micros`: exactly six digits stand behind the seconds. */
export function timeError(text: string, precision: keyof typeof layouts): string | undefined {
  const layout = layouts[precision];
  if (layout.whole.test(text)) {
    const wrong = rangeError(text);
    return wrong && `parsing time ${JSON.stringify(text)}: ${wrong} out of range`;
  }
  let rest = text;
  for (const [shown, form] of layout.steps) {
    const match = form.exec(rest);
    if (!match) {
      return (
        `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout.text)}: cannot parse ` +
        `${JSON.stringify(rest)} as ${JSON.stringify(shown)}`
      );
    }
    rest = rest.slice(match[0].length);
  }
  return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`;
}
