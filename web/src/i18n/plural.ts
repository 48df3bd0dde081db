/** Chooses the form of a word for a number. */

type Forms = { other: string } & Partial<Record<Intl.LDMLPluralRule, string>>;

const rules = new Map<string, Intl.PluralRules>();

export function plural(locale: string, n: number, forms: Forms): string {
  let rule = rules.get(locale);
  if (!rule) {
    rule = new Intl.PluralRules(locale);
    rules.set(locale, rule);
  }
  return forms[rule.select(n)] ?? forms.other;
}

/** A number with its word. */
export const counted = (locale: string, n: number, forms: Forms): string => `${n.toLocaleString(locale)} ${plural(locale, n, forms)}`;
