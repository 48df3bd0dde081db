//! The rules that turn one way of naming tensors into the canonical one.
//!
//! Always holds: rules run one after the other over all tensors, so that a later rule sees what an earlier one made; a
//! rule that does not know a name leaves it alone. Names are written as [`pattern`](super::pattern) describes.

use std::collections::{HashMap, HashSet};

use super::pattern::{capture, fill, matches};
use crate::error::Result;
use crate::weights::FileBytes;
use crate::weights::encoding::Encoding;
use crate::weights::files::unusable;
use crate::weights::stored::Stored;

/// One step of a layout's table.
#[derive(Debug)]
pub(crate) enum Rule {
    /// A name becomes another.
    Rename(&'static str, &'static str),
    /// A second name of a tensor: becomes the first name where the file does not hold that too, and is left out
    /// otherwise.
    Alias(&'static str, &'static str),
    /// A flat list of modules becomes a list of groups. The modules below `list` are numbered; one that holds the
    /// tensor `end` is the last of its group. A module becomes `member` (number of the group, number in the group), the
    /// last one of a group `last` (number of the group), and what follows its number stays.
    Group { list: &'static str, end: &'static str, member: &'static str, last: &'static str },
    /// Rows become several tensors, of sizes that are to each other as the numbers say.
    Split(&'static str, &'static [(&'static str, usize)]),
    /// Tensors become one, row after row, in this order.
    #[cfg_attr(not(test), expect(dead_code, reason = "no table of today's families needs it"))]
    Join(&'static [&'static str], &'static str),
    /// The lower half of the rows comes first.
    #[cfg_attr(not(test), expect(dead_code, reason = "no table of today's families needs it"))]
    SwapHalves(&'static str),
    /// Rows become columns. The result is kept as float32: only for small matrices.
    Transpose(&'static str, &'static str),
    /// A tensor that nothing needs.
    Drop(&'static str),
}

/// A tensor on its way through the rules.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What the file calls it.
    pub(super) from: String,
    /// What the rules made of that so far.
    pub(super) name: String,
    pub(super) stored: Stored,
}

impl Entry {
    fn renamed(&self, name: String) -> Self {
        Self { from: self.from.clone(), name, stored: self.stored.clone() }
    }
}

impl Rule {
    /// Runs the rule over all tensors.
    pub(super) fn run(&self, mut entries: Vec<Entry>) -> Result<Vec<Entry>> {
        match self {
            Self::Rename(from, to) => {
                for entry in &mut entries {
                    if let Some(name) = capture(from, &entry.name).map(|captures| fill(to, &captures)) {
                        entry.name = name;
                    }
                }
                Ok(entries)
            }
            Self::Alias(from, to) => Ok(alias(from, to, entries)),
            Self::Group { list, end, member, last } => Ok(group(list, end, member, last, entries)),
            Self::Split(from, into) => split(from, into, entries),
            Self::Join(from, into) => join(from, into, entries),
            Self::SwapHalves(name) => {
                for entry in entries.iter_mut().filter(|entry| matches(name, &entry.name)) {
                    entry.stored = swap_halves(&entry.stored, &entry.from)?;
                }
                Ok(entries)
            }
            Self::Transpose(from, to) => {
                for entry in &mut entries {
                    if let Some(name) = capture(from, &entry.name).map(|captures| fill(to, &captures)) {
                        entry.stored = transpose(&entry.stored, &entry.from)?;
                        entry.name = name;
                    }
                }
                Ok(entries)
            }
            Self::Drop(name) => {
                entries.retain(|entry| !matches(name, &entry.name));
                Ok(entries)
            }
        }
    }
}

fn alias(from: &str, to: &str, entries: Vec<Entry>) -> Vec<Entry> {
    let taken: HashSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let renamed = |entry: Entry| match capture(from, &entry.name).map(|captures| fill(to, &captures)) {
        Some(name) => (!taken.contains(&name)).then(|| entry.renamed(name)),
        None => Some(entry),
    };
    entries.into_iter().filter_map(renamed).collect()
}

fn group(list: &str, end: &str, member: &str, last: &str, mut entries: Vec<Entry>) -> Vec<Entry> {
    let numbered = |name: &str| -> Option<(usize, String)> {
        let (number, rest) = name.strip_prefix(list)?.split_once('.')?;
        Some((number.parse().ok()?, rest.to_owned()))
    };
    let mut ends: Vec<usize> = entries
        .iter()
        .filter_map(|entry| numbered(&entry.name))
        .filter_map(|(number, rest)| (rest == end).then_some(number))
        .collect();
    ends.sort_unstable();
    for entry in &mut entries {
        let Some((number, rest)) = numbered(&entry.name) else { continue };
        let before = ends.partition_point(|&end| end < number);
        let start = before.checked_sub(1).and_then(|at| ends.get(at)).map_or(0, |end| end.saturating_add(1));
        let is_last = ends.get(before) == Some(&number);
        let (template, within) = if is_last { (last, 0) } else { (member, number - start) };
        let head = template.replacen('*', &before.to_string(), 1).replacen('*', &within.to_string(), 1);
        entry.name = format!("{head}{rest}");
    }
    entries
}

fn split(from: &str, into: &[(&str, usize)], entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let total: usize = into.iter().map(|(_, share)| share).sum();
    let mut after = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(captures) = capture(from, &entry.name) else {
            after.push(entry);
            continue;
        };
        let rows = rows_of(&entry.stored, &entry.from)?;
        if total == 0 || rows % total != 0 {
            return Err(unusable(format!("tensor {} has {rows} rows, which do not divide by {total}", entry.from)));
        }
        let mut start = 0;
        for (to, share) in into {
            let end = start + rows / total * share;
            after.push(Entry { stored: entry.stored.rows(start, end)?, ..entry.renamed(fill(to, &captures)) });
            start = end;
        }
    }
    Ok(after)
}

fn join(from: &[&str], into: &str, entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let Some((first, others)) = from.split_first() else { return Ok(entries) };
    let (parts, mut after): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| others.iter().any(|name| matches(name, &entry.name)));
    let mut parts: HashMap<String, Entry> = parts.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    for head in &mut after {
        let Some(captures) = capture(first, &head.name) else { continue };
        let mut stored = vec![head.stored.clone()];
        for other in others {
            let wanted = fill(other, &captures);
            let part = parts.remove(&wanted).ok_or_else(|| {
                unusable(format!("tensor {} is there and {wanted}, which belongs to it, is not", head.from))
            })?;
            stored.push(part.stored);
        }
        head.stored = stack(&stored, &head.from)?;
        head.name = fill(into, &captures);
    }
    // Parts without a first one stay as they are: no network knows their names.
    let mut left: Vec<Entry> = parts.into_values().collect();
    left.sort_by(|a, b| a.from.cmp(&b.from));
    after.append(&mut left);
    Ok(after)
}

fn rows_of(stored: &Stored, name: &str) -> Result<usize> {
    stored.shape().first().copied().ok_or_else(|| unusable(format!("tensor {name} is a single number, not rows")))
}

/// Tensors that agree in all axes but the first, one below the other. Kept as the file keeps them where all of them are
/// kept alike and without scales, else as float32.
fn stack(parts: &[Stored], name: &str) -> Result<Stored> {
    let mut rows = 0usize;
    let mut rest = None;
    for part in parts {
        let (&own, others) =
            part.shape().split_first().ok_or_else(|| unusable(format!("{name} is a single number")))?;
        if *rest.get_or_insert(others) != others {
            return Err(unusable(format!("what belongs to tensor {name} differs from it in shape")));
        }
        rows = rows.saturating_add(own);
    }
    let shape = [&[rows], rest.unwrap_or_default()].concat();
    let alike = |part: &Stored| match (parts.first().map(Stored::encoding), part.encoding()) {
        (Some(Encoding::Dense(a)), Encoding::Dense(b)) => a == b,
        (Some(Encoding::Ggml(a)), Encoding::Ggml(b)) => a == b,
        _ => false,
    };
    match parts.first() {
        Some(first) if parts.iter().all(alike) => {
            let bytes = parts.iter().flat_map(|part| part.bytes().iter().copied()).collect();
            Stored::new(shape, first.encoding().clone(), FileBytes::of_vec(bytes))
        }
        _ => {
            let mut values = vec![];
            for part in parts {
                values.append(&mut decoded(part)?);
            }
            Stored::dense_f32(shape, values)
        }
    }
}

fn decoded(stored: &Stored) -> Result<Vec<f32>> {
    let mut values = vec![0.0; stored.elements()];
    stored.decode(0, &mut values)?;
    Ok(values)
}

fn swap_halves(stored: &Stored, name: &str) -> Result<Stored> {
    let rows = rows_of(stored, name)?;
    if !rows.is_multiple_of(2) {
        return Err(unusable(format!("tensor {name} has {rows} rows, which are no two halves")));
    }
    stack(&[stored.rows(rows / 2, rows)?, stored.rows(0, rows / 2)?], name)
}

fn transpose(stored: &Stored, name: &str) -> Result<Stored> {
    let &[rows, columns] = stored.shape() else {
        return Err(unusable(format!("tensor {name} has shape {:?}, which is no matrix", stored.shape())));
    };
    let values = decoded(stored)?;
    let column = |column: usize| values.iter().skip(column).step_by(columns.max(1)).copied();
    let turned = if rows == 0 { vec![] } else { (0..columns).flat_map(column).collect() };
    Stored::dense_f32(vec![columns, rows], turned)
}
