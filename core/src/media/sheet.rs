//! Puts several pictures side by side in one.

use super::resize_to;
use crate::error::{Error, Result};
use crate::media::Frames;

/// Puts `count` pictures into one of `width` x `height`, row by row in their order. The whole area is filled: all rows have the same
/// height, the pictures of a row the same width, and each picture is scaled to cover its part.
///
/// # Errors
/// Those of `pictures`; `validation_error` when a part would have no pixels; `internal` when there are fewer than `count` pictures.
pub(crate) fn side_by_side(
    mut pictures: impl Iterator<Item = Result<Frames>>,
    count: usize,
    width: u32,
    height: u32,
) -> Result<Frames> {
    let too_many = || {
        Error::validation(format!("{count} pictures do not fit into one of {width}x{height} pixels"))
            .with_action("Send fewer pictures, or ask for a larger one.")
    };
    let count = u32::try_from(count).map_err(|_| too_many())?;
    // As many columns as rows, as far as possible.
    let columns = (1..=count).find(|side| side * side >= count).unwrap_or(1);
    let rows = count.div_ceil(columns);
    if rows > height || columns > width {
        return Err(too_many());
    }
    let (wide, line) = (width as usize, width as usize * 3);
    let mut rgb = vec![0; line * height as usize];
    for row in 0..rows {
        // The rows with one more picture come first.
        let in_row = count / rows + u32::from(row < count % rows);
        let (top, bottom) = (part_start(height, row, rows), part_start(height, row + 1, rows));
        for column in 0..in_row {
            let (left, right) = (part_start(width, column, in_row), part_start(width, column + 1, in_row));
            let picture =
                pictures.next().ok_or_else(|| Error::internal("there are fewer pictures than expected"))??;
            let part = resize_to(&picture, right - left, bottom - top)?;
            let from = (right - left) as usize * 3;
            for (index, pixels) in part.rgb.chunks_exact(from).enumerate() {
                let at = (top as usize + index) * wide * 3 + left as usize * 3;
                let place = rgb.get_mut(at..at + from).ok_or_else(|| Error::internal("a part lies outside"))?;
                place.copy_from_slice(pixels);
            }
        }
    }
    Ok(Frames { width, height, rgb })
}

/// Returns the start of a part when `length` is divided into `parts` as evenly as whole pixels allow.
fn part_start(length: u32, part: u32, parts: u32) -> u32 {
    u32::try_from(u64::from(length) * u64::from(part) / u64::from(parts)).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn plain(colour: u8) -> Result<Frames> {
        Ok(Frames { width: 2, height: 3, rgb: vec![colour; 18] })
    }

    fn sheet(count: usize, width: u32, height: u32) -> Result<Vec<Vec<u8>>> {
        let pictures = (1..=count).map(|colour| plain(colour as u8 * 10));
        let sheet = side_by_side(pictures, count, width, height)?;
        assert_eq!((sheet.width, sheet.height, sheet.rgb.len()), (width, height, (width * height * 3) as usize));
        Ok(sheet.rgb.chunks(width as usize * 3).map(|line| line.chunks(3).map(|pixel| pixel[0]).collect()).collect())
    }

    #[test]
    fn every_picture_is_on_the_sheet_and_no_place_is_empty() {
        assert_eq!(sheet(1, 2, 2).unwrap(), [[10, 10], [10, 10]]);
        assert_eq!(sheet(2, 4, 2).unwrap(), [[10, 10, 20, 20], [10, 10, 20, 20]]);
        assert_eq!(sheet(3, 4, 2).unwrap(), [[10, 10, 20, 20], [30, 30, 30, 30]]);
        assert_eq!(sheet(5, 6, 2).unwrap(), [[10, 10, 20, 20, 30, 30], [40, 40, 40, 50, 50, 50]]);
        for count in 1..=16 {
            let seen: std::collections::BTreeSet<u8> = sheet(count, 65, 63).unwrap().into_iter().flatten().collect();
            assert_eq!(seen, (1..=count).map(|colour| colour as u8 * 10).collect(), "{count}");
        }
    }

    #[test]
    fn too_many_pictures_are_refused_and_errors_of_pictures_returned() {
        assert_eq!(sheet(16, 3, 64).unwrap_err().code(), ErrorCode::ValidationError);
        let broken = [plain(1), Err(Error::validation("damaged"))];
        assert_eq!(side_by_side(broken.into_iter(), 2, 4, 4).unwrap_err().detail(), "damaged");
        assert_eq!(side_by_side([plain(1)].into_iter(), 2, 4, 4).unwrap_err().code(), ErrorCode::Internal);
    }
}
