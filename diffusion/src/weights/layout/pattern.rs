//! Patterns of tensor names.
//!
//! Always holds: a pattern is matched against a whole name, one dot-separated segment at a time. `*` matches a number, and
//! `**` matches one or more segments of any kind. A pattern that ends with a dot matches the `weight` and the `bias` below
//! it.

/// The parts of one name that the wildcards of a pattern matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Captures<'n> {
    /// The matches of `*` and `**`, from left to right.
    stars: Vec<&'n str>,
    /// `weight` or `bias`, if the pattern ends with a dot.
    leaf: Option<&'n str>,
}

/// Returns the captures of `name`, or `None` if it does not match.
pub(super) fn capture<'n>(pattern: &str, name: &'n str) -> Option<Captures<'n>> {
    if !end_matches(pattern, name) {
        return None;
    }
    let mut captures = Captures::default();
    match_from(pattern, name, &mut captures).then_some(captures)
}

/// Returns whether `name` matches.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    capture(pattern, name).is_some()
}

/// Returns the name that `template` gives for these captures. Its stars take the captures from left to right. Captures
/// without a star are left out.
pub(super) fn fill(template: &str, captures: &Captures) -> String {
    let mut stars = captures.stars.iter().copied();
    let segments = template.split('.').map(|segment| match segment {
        "*" | "**" => stars.next().unwrap_or(segment),
        "" => captures.leaf.unwrap_or(segment),
        _ => segment,
    });
    segments.collect::<Vec<_>>().join(".")
}

/// Returns whether the text after the last star of the pattern matches the end of the name. Most names fail this check, and it is
/// much faster than comparing segments.
fn end_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = match pattern.strip_suffix('.') {
        Some(pattern) => (pattern, name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias"))),
        None => (pattern, Some(name)),
    };
    let ending = pattern.rsplit('*').next().unwrap_or_default();
    name.is_some_and(|name| name.ends_with(ending))
}

fn match_from<'n>(pattern: &str, name: &'n str, captures: &mut Captures<'n>) -> bool {
    let (expected, pattern_rest) = first(pattern);
    if expected == "**" {
        return match_any(pattern_rest, name, captures);
    }
    let (segment, name_rest) = first(name);
    match expected {
        "" if matches!(segment, "weight" | "bias") => captures.leaf = Some(segment),
        "*" if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) => captures.stars.push(segment),
        _ if expected == segment && !segment.is_empty() => {}
        _ => return false,
    }
    match (pattern_rest, name_rest) {
        (Some(pattern), Some(name)) => match_from(pattern, name, captures),
        (None, None) => true,
        _ => false,
    }
}

/// Lets `**` take one segment, then two, and so on, until the rest of the pattern matches.
fn match_any<'n>(pattern_rest: Option<&str>, name: &'n str, captures: &mut Captures<'n>) -> bool {
    let Some(pattern) = pattern_rest else {
        captures.stars.push(name);
        return !name.is_empty();
    };
    for (dot, _) in name.match_indices('.') {
        let (Some(taken), Some(rest)) = (name.get(..dot), name.get(dot + 1..)) else { return false };
        let before = captures.stars.len();
        captures.stars.push(taken);
        if match_from(pattern, rest, captures) {
            return true;
        }
        captures.stars.truncate(before);
    }
    false
}

fn first(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(from: &str, to: &str, name: &str) -> Option<String> {
        capture(from, name).map(|captures| fill(to, &captures))
    }

    #[test]
    fn stars_are_numbers_and_double_stars_are_anything() {
        assert_eq!(
            renamed("blocks.*.self_attn.q.", "blocks.*.attn1.to_q.", "blocks.12.self_attn.q.bias").as_deref(),
            Some("blocks.12.attn1.to_q.bias")
        );
        assert_eq!(renamed("blocks.*.q.", "x.*.", "blocks.a.q.bias"), None);
        assert_eq!(renamed("blocks.*.q.", "x.*.", "blocks.1.q.lora_A"), None);
        assert_eq!(renamed("blocks.*.q.", "x.*.", "blocks.1.q.bias.more"), None);
        assert_eq!(renamed("blocks.*.q.", "x.*.", "blocks.1.q"), None);
        assert_eq!(
            renamed("**.middle.0.**", "**.mid.0.**", "encoder.middle.0.residual.2.weight").as_deref(),
            Some("encoder.mid.0.residual.2.weight")
        );
        assert_eq!(renamed("**.a.**", "**.b.**", "a.a.x").as_deref(), Some("a.b.x"));
        assert_eq!(renamed("**.a", "**.b", "a"), None, "two stars stand for at least one segment");
    }

    #[test]
    fn a_template_may_leave_captures_out() {
        assert_eq!(renamed("d.*.d.*.r.", "d.*.s.r.", "d.2.d.1.r.weight").as_deref(), Some("d.2.s.r.weight"));
    }

    #[test]
    fn empty_and_odd_names_do_not_match() {
        for name in ["", ".", "..", "a..b", "blocks..weight"] {
            assert!(!matches("blocks.*.", name));
            assert!(!matches("blocks.*.**", name));
            assert!(!matches("", name));
        }
    }
}
