// The texts of the page in the language it was served in, and numbers and dates as that language writes them.

const catalog = JSON.parse(document.getElementById("catalog").textContent);

export const lang = document.documentElement.lang;

// Latin digits everywhere: a Bengali four looks like an eight, and pseudonyms and versions are in Latin digits.
const locale = `${lang}-u-nu-latn`;

const plurals = new Intl.PluralRules(lang);
// Gettext numbers the six Arabic forms in this order; languages with two have "one" first.
const SIX = ["zero", "one", "two", "few", "many", "other"];

/** The text in the page's language; `{name}` in it is replaced by `values.name`. */
export function _(text, values = {}) {
  const found = catalog[text];
  return filled(typeof found === "string" && found ? found : text, values);
}

/** As `_`, in the plural form that `n` needs; `{n}` is the number itself. */
export function ngettext(one, many, n, values = {}) {
  const forms = catalog[one];
  const kind = plurals.select(n);
  let text = n === 1 ? one : many;
  if (Array.isArray(forms)) {
    text = forms[forms.length === SIX.length ? SIX.indexOf(kind) : Math.min(kind === "one" ? 0 : 1, forms.length - 1)] || text;
  }
  return filled(text, { n: number(n), ...values });
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

/** A probability of 0 to 1 as a percentage; never 0 % or 100 %, which no model can know. */
export function percent(p) {
  if (p < 0.001) return isolated(`< ${bare(0.001)}`);
  if (p > 0.999) return isolated(`> ${bare(0.999)}`);
  return isolated(bare(p));
}

/** Text that runs from left to right inside one that may not: without this, Arabic turns "<" around. */
export function isolated(text) {
  return `\u2066${text}\u2069`;
}

function bare(p) {
  const digits = p < 0.1 || p > 0.9 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(p);
}

export function dateTime(iso) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" }).format(new Date(iso));
}

export function time(iso) {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short", hourCycle: "h23" }).format(new Date(iso));
}
