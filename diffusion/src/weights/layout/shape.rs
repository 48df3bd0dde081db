//! Restores shapes that some writers change: axes of length 1 that are left out, and axes that are folded into one.
//!
//! Always holds: a shape is restored only when the number of axes differs and the number of elements fits. Anything else is
//! unchanged, and the layer that reads the tensor refuses it.

use must_tensors::Result;

use super::Tensors;
use super::pattern::matches;

/// One axis of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dim {
    /// Exactly this length.
    Is(usize),
    /// The length of the `bias` beside the `weight`.
    Bias,
    /// The length of the last axis in the file.
    Last,
    /// The length that follows from the number of elements. At most one axis of a shape can have it.
    Rest,
}

/// Restores the shapes of `tensors`.
pub(super) fn restore(shapes: &[(&str, &[Dim])], tensors: &mut Tensors) -> Result<()> {
    let changes: Vec<(String, Vec<usize>)> = tensors
        .iter()
        .filter_map(|(name, stored)| {
            let (_, wanted) = shapes.iter().find(|(pattern, _)| matches(pattern, name))?;
            if stored.shape().len() == wanted.len() {
                return None;
            }
            let bias = name.strip_suffix("weight").and_then(|stem| tensors.get(&format!("{stem}bias")));
            let bias = bias.map(|bias| bias.elements());
            Some((name.to_owned(), resolve(wanted, stored.shape(), stored.elements(), bias)?))
        })
        .collect();
    for (name, shape) in changes {
        if let Some(stored) = tensors.map.get_mut(&name) {
            *stored = stored.reshaped(shape)?;
        }
    }
    Ok(())
}

/// Returns the shape that `wanted` means for a tensor of this shape, or `None` if its elements do not fit.
fn resolve(wanted: &[Dim], shape: &[usize], elements: usize, bias: Option<usize>) -> Option<Vec<usize>> {
    let known = |dim: &Dim| match dim {
        Dim::Is(length) => Some(*length),
        Dim::Bias => bias,
        Dim::Last => shape.last().copied(),
        Dim::Rest => Some(1),
    };
    let mut result = wanted.iter().map(known).collect::<Option<Vec<usize>>>()?;
    let product = result.iter().try_fold(1usize, |product, &length| product.checked_mul(length))?;
    if product == 0 || !elements.is_multiple_of(product) {
        return None;
    }
    match wanted.iter().position(|dim| *dim == Dim::Rest) {
        Some(at) => *result.get_mut(at)? = elements / product,
        None if elements == product => {}
        None => return None,
    }
    Some(result)
}
