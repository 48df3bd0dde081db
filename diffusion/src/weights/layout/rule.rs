//! The rules that turn a layout's tensor names into the canonical ones.
//!
//! Always holds: rules run one after the other over all tensors, so a later rule sees the results of an earlier one. A rule
//! changes only the names that it matches. [`pattern`](super::pattern) describes how names are matched.

use std::collections::{HashMap, HashSet};

use must_tensors::{Encoding, Result, StoredTensor, unusable};

use super::pattern::{capture, fill, matches};
use crate::weights::FileBytes;

/// One step of a layout's table.
#[derive(Debug)]
pub(crate) enum Rule {
    /// `Rename(from, to)` renames a tensor.
    Rename(&'static str, &'static str),
    /// `Alias(from, to)` treats `from` as another name of the tensor `to`. The tensor is renamed to `to`, or dropped when the
    /// file also has a tensor `to`.
    Alias(&'static str, &'static str),
    /// Turns a flat list of modules into a list of groups. The modules below `list` are numbered, and a module that has the
    /// tensor `end` is the last one of its group. The last module of a group is renamed to `last` (number of the group), any
    /// other to `member` (number of the group, number in the group). The rest of the name after the module's number is
    /// unchanged.
    Group { list: &'static str, end: &'static str, member: &'static str, last: &'static str },
    /// Splits the rows into several tensors. The numbers are their relative sizes.
    Split(&'static str, &'static [(&'static str, usize)]),
    /// Joins tensors into one, row after row, in this order.
    #[cfg_attr(not(test), expect(dead_code, reason = "no layout uses it yet"))]
    Join(&'static [&'static str], &'static str),
    /// Swaps the two halves of the rows.
    #[cfg_attr(not(test), expect(dead_code, reason = "no layout uses it yet"))]
    SwapHalves(&'static str),
    /// Transposes a matrix. The result is stored as float32, so this suits small matrices only.
    Transpose(&'static str, &'static str),
    /// Drops a tensor that no network needs.
    Drop(&'static str),
}

/// A tensor that the rules are being applied to.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its name in the file.
    pub(super) from: String,
    /// Its name after the rules that have run so far.
    pub(super) name: String,
    pub(super) stored: StoredTensor,
}

impl Entry {
    fn renamed(&self, name: String) -> Self {
        Self { from: self.from.clone(), name, stored: self.stored.clone() }
    }
}

impl Rule {
    /// Applies the rule to all tensors.
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
                unusable(format!("tensor {} is present, but {wanted}, which belongs to it, is missing", head.from))
            })?;
            stored.push(part.stored);
        }
        head.stored = stack(&stored, &head.from)?;
        head.name = fill(into, &captures);
    }
    // Parts whose first tensor is missing are unchanged, and are reported as unknown.
    let mut left: Vec<Entry> = parts.into_values().collect();
    left.sort_by(|a, b| a.from.cmp(&b.from));
    after.append(&mut left);
    Ok(after)
}

fn rows_of(stored: &StoredTensor, name: &str) -> Result<usize> {
    stored.shape().first().copied().ok_or_else(|| unusable(format!("tensor {name} is a single number, not rows")))
}

/// Stacks the rows of tensors whose other axes agree. Keeps the encoding when all of them have the same one and no scales,
/// otherwise decodes to float32.
fn stack(parts: &[StoredTensor], name: &str) -> Result<StoredTensor> {
    let mut rows = 0usize;
    let mut rest = None;
    for part in parts {
        let (&own, others) =
            part.shape().split_first().ok_or_else(|| unusable(format!("{name} is a single number")))?;
        if *rest.get_or_insert(others) != others {
            return Err(unusable(format!("the parts of tensor {name} differ in shape")));
        }
        rows = rows.saturating_add(own);
    }
    let shape = [&[rows], rest.unwrap_or_default()].concat();
    let alike = |part: &StoredTensor| match (parts.first().map(StoredTensor::encoding), part.encoding()) {
        (Some(Encoding::Dense(a)), Encoding::Dense(b)) => a == b,
        (Some(Encoding::Ggml(a)), Encoding::Ggml(b)) => a == b,
        _ => false,
    };
    match parts.first() {
        Some(first) if parts.iter().all(alike) => {
            let bytes = parts.iter().map(StoredTensor::bytes).collect::<Vec<_>>().concat();
            StoredTensor::new(shape, first.encoding().clone(), FileBytes::of_vec(bytes))
        }
        _ => {
            let mut values = vec![];
            for part in parts {
                values.append(&mut decoded(part)?);
            }
            StoredTensor::dense_f32(shape, values)
        }
    }
}

fn decoded(stored: &StoredTensor) -> Result<Vec<f32>> {
    let mut values = vec![0.0; stored.elements()];
    stored.decode(0, &mut values)?;
    Ok(values)
}

fn swap_halves(stored: &StoredTensor, name: &str) -> Result<StoredTensor> {
    let rows = rows_of(stored, name)?;
    if !rows.is_multiple_of(2) {
        return Err(unusable(format!("tensor {name} has {rows} rows, which cannot be split into two halves")));
    }
    stack(&[stored.rows(rows / 2, rows)?, stored.rows(0, rows / 2)?], name)
}

fn transpose(stored: &StoredTensor, name: &str) -> Result<StoredTensor> {
    if stored.shape().len() != 2 {
        return Err(unusable(format!("tensor {name} has shape {:?}, which is not a matrix", stored.shape())));
    }
    stored.transposed()
}
