//! Detects text that was decoded with the wrong character set, by sequences of characters that correct text hardly ever has.
//!
//! Reference: <https://github.com/rspeer/python-ftfy/blob/main/ftfy/badness.py>. Its large regular expression is written
//! here as a list of short sequences of character sets.

use std::ops::Range;

use super::is_space;
use super::tables::{
    BAD, BOX, C1, CLASSES, CLOSING, COMMON, CONTINUATION, CURRENCY, FIRST_OF_2, FIRST_OF_3, FIRST_OF_4, KAOMOJI, LAW,
    LOWER_ACCENTED, LOWER_COMMON, NUMERIC, OPENING, STRICT_CONTINUATION, UPPER_ACCENTED, UPPER_COMMON,
};

/// A set of characters: those of some classes, those of a list, and those that pass a test.
struct Set {
    classes: u32,
    letters: &'static str,
    test: fn(char) -> bool,
}

impl Set {
    fn has(&self, letter: char, classes: u32) -> bool {
        classes & self.classes != 0 || self.letters.contains(letter) || (self.test)(letter)
    }
}

const fn never(_: char) -> bool {
    false
}

const fn of(classes: u32) -> Set {
    Set { classes, letters: "", test: never }
}

const fn with(classes: u32, letters: &'static str) -> Set {
    Set { classes, letters, test: never }
}

const fn only(letters: &'static str) -> Set {
    with(0, letters)
}

const fn like(test: fn(char) -> bool) -> Set {
    Set { classes: 0, letters: "", test }
}

fn is_latin(letter: char) -> bool {
    letter.is_ascii_alphabetic()
}

fn is_small_latin(letter: char) -> bool {
    letter.is_ascii_lowercase()
}

fn is_not_latin(letter: char) -> bool {
    !letter.is_ascii_alphabetic()
}

fn is_no_line_break(letter: char) -> bool {
    letter != '\n'
}

/// Returns whether a character is a letter, a digit or an underscore.
fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

const ACCENTED: u32 = LOWER_ACCENTED | UPPER_ACCENTED;
const SYMBOLS: u32 = BOX | OPENING | CLOSING | CURRENCY | NUMERIC | LAW;

/// The sequences of character sets that correct text hardly ever has. The blanks between the sets in the reference's regular
/// expression have no meaning (it is in verbose mode).
const SEQUENCES: &[&[Set]] = &[
    &[of(C1)],
    &[of(BAD | ACCENTED | SYMBOLS), of(BAD)],
    &[like(is_latin), of(LOWER_COMMON | UPPER_COMMON), of(BAD)],
    &[of(BAD), of(ACCENTED | SYMBOLS)],
    &[of(LOWER_ACCENTED | LOWER_COMMON | BOX | CLOSING | CURRENCY | NUMERIC), of(UPPER_ACCENTED)],
    &[of(BOX | CLOSING | CURRENCY | NUMERIC), of(LOWER_ACCENTED)],
    &[of(LOWER_ACCENTED | BOX | CLOSING), of(CURRENCY)],
    &[like(is_space), of(UPPER_ACCENTED), of(CURRENCY)],
    &[of(UPPER_ACCENTED | BOX), of(NUMERIC | LAW)],
    &[of(ACCENTED | BOX | CURRENCY | CLOSING), of(OPENING), of(NUMERIC)],
    &[of(ACCENTED | CURRENCY | NUMERIC | BOX | LAW), of(CLOSING), of(OPENING)],
    &[of(CURRENCY | NUMERIC | BOX), of(OPENING)],
    &[like(is_small_latin), of(UPPER_ACCENTED), of(OPENING | CURRENCY)],
    &[of(BOX), of(KAOMOJI)],
    &[of(ACCENTED | CURRENCY | NUMERIC | OPENING | CLOSING | LAW), of(BOX)],
    &[of(BOX), of(CLOSING)],
    &[of(ACCENTED), of(OPENING | CLOSING), like(is_word)],
    // The ligature œ when no plain Latin letter follows.
    &[only("Œœ"), like(is_not_latin)],
    // A degree sign after a capital letter.
    &[of(UPPER_ACCENTED), only("°")],
    // Pairs of characters of Windows-1252 that the sequences above do not cover.
    &[only("ÂÃÎÐ"), with(OPENING | CLOSING, "€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´")],
    &[only("×"), only("²³")],
    // Arabic words in Windows-1252 also contain common characters, so four in a row are needed.
    &[
        only("ØÙ"),
        with(COMMON | CURRENCY | BAD | NUMERIC | OPENING, "ŸŠ®°µ»"),
        only("ØÙ"),
        with(COMMON | CURRENCY | BAD | NUMERIC | OPENING, "ŸŠ®°µ»"),
    ],
    // The start of three characters of Windows-1252 for some South Asian scripts.
    &[only("à"), only("²µ¹¼½¾")],
    // Mac Roman.
    &[only("√"), only("±∂†≠®™´≤≥¥µø")],
    &[only("≈"), only("°¢")],
    &[only("‚"), only("Ä"), only("ìîïòôúùû†°¢π")],
    &[only("‚"), only("âó"), only("àä°ê")],
    // Windows-1251: characters from U+2000 on, then Latin-1 and Cyrillic.
    &[only("в"), only("Ђ")],
    &[only("ВГРС"), with(C1 | BAD | OPENING | CLOSING | CURRENCY, "°µ"), only("ВГРС")],
    &[
        only("Г"),
        only("ў"),
        only("В"),
        only("Ђ"),
        only("В"),
        like(is_no_line_break),
        Set { classes: 0, letters: " ", test: is_latin },
    ],
    // Windows-1252: à, á and the no-break space.
    &[only("Ã"), only("\u{a0}¡")],
    &[like(is_small_latin), only("ÃÂ"), only(" ")],
    &[like(is_small_latin), like(is_space), only("ÃÂ"), only(" ")],
    // Â before a character. Both together are what that character becomes when its UTF-8 is read as Windows-1252.
    &[Set { classes: CLOSING, letters: ".,?!", test: is_small_latin }, only("Â"), with(OPENING | CLOSING, " ")],
    // Windows-1253: characters from U+2000 on, then Latin-1 and Greek.
    &[only("β"), only("€"), only("™\u{a0}\u{386}\u{ad}®°")],
    &[only("ΒΓΞΟ"), with(C1 | BAD | OPENING | CLOSING | CURRENCY, "°"), only("ΒΓΞΟ")],
    // Windows-1257: characters from U+2000 on.
    &[only("ā"), only("€")],
];

/// Returns the classes of a character, as bits.
fn classes(letter: char) -> u32 {
    let place = CLASSES.partition_point(|(_, last, _)| *last < letter);
    CLASSES.get(place).filter(|(first, ..)| *first <= letter).map_or(0, |(.., classes)| *classes)
}

/// Returns whether a part of the text seems to be decoded wrongly.
pub(super) fn is_bad(letters: &[char]) -> bool {
    let known: Vec<(char, u32)> = letters.iter().map(|&letter| (letter, classes(letter))).collect();
    // At the start of a text, Ã or Â before a space counts without a letter before it.
    matches!(letters, ['Ã' | 'Â', ' ', ..])
        || (0..known.len()).any(|place| {
            let rest = known.get(place..).unwrap_or_default();
            SEQUENCES.iter().any(|sequence| {
                sequence.len() <= rest.len()
                    && sequence.iter().zip(rest).all(|(set, (letter, classes))| set.has(*letter, *classes))
            })
        })
}

/// Returns the ranges of text that are UTF-8 decoded with some single-byte encoding. Adjacent sequences are one range.
///
/// Reference: `UTF8_DETECTOR_RE` in <https://github.com/rspeer/python-ftfy/blob/main/ftfy/chardata.py>
pub(super) fn mojibake_runs(letters: &[char]) -> Vec<Range<usize>> {
    let known: Vec<u32> = letters.iter().map(|&letter| classes(letter)).collect();
    let mut runs = Vec::new();
    let mut place = 0;
    while place < known.len() {
        let inside = place > 0 && known.get(place - 1).is_some_and(|classes| classes & STRICT_CONTINUATION != 0);
        let mut end = place;
        while !inside && let Some(length) = known.get(end..).and_then(sequence_length) {
            end += length;
        }
        if end > place {
            runs.push(place..end);
            place = end;
        } else {
            place += 1;
        }
    }
    runs
}

/// Returns the length of one sequence at the start.
fn sequence_length(known: &[u32]) -> Option<usize> {
    let (first, after) = known.split_first()?;
    [(FIRST_OF_2, 1), (FIRST_OF_3, 2), (FIRST_OF_4, 3)].into_iter().find_map(|(class, count)| {
        let follow = after.get(..count)?;
        (first & class != 0 && follow.iter().all(|classes| classes & CONTINUATION != 0)).then_some(count + 1)
    })
}
