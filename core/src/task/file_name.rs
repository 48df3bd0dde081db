//! Names for downloaded result files. A name consists of the model, the seed and the first words of the prompt, so that people
//! can recognise the file, and the end of the task's id, so that no two files have the same name.
//!
//! Invariants: a name has only letters, digits, the marks on them, `-`, `_` and `.`, and begins with a letter or a digit. No
//! prompt can turn it into a path, an option, a hidden file, or text that changes how other text is displayed.

use super::types::Task;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use unicode_segmentation::UnicodeSegmentation as _;

/// Largest number of characters of the prompt in a name, and of the model's id.
const MOST_LETTERS: usize = 40;

/// Largest number of bytes of the prompt in a name. Letters of some scripts have four bytes, and a file name may have at most 255.
const MOST_BYTES: usize = 80;

/// Number of characters of the task's id in a name.
const ID_LENGTH: usize = 8;

/// Returns the name of a task's result, or of its preview.
pub(crate) fn of(task: &Task, preview: bool, extension: &str) -> String {
    let mut parts = vec![plain(&task.model), task.seed.to_string()];
    parts.push(words(&task.prompt));
    let id: Vec<char> = task.id.chars().filter(char::is_ascii_alphanumeric).collect();
    parts.push(id.iter().skip(id.len().saturating_sub(ID_LENGTH)).collect());
    if preview {
        parts.push("preview".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    format!("{}.{extension}", parts.join("-"))
}

/// Returns the model's id with characters that a name may not have replaced.
fn plain(id: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = id.chars().map(allowed).take(MOST_LETTERS).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "result".to_owned() } else { name.to_owned() }
}

/// Returns as many of the first words of a text as fit. If the first word alone is too long, it is cut.
fn words(text: &str) -> String {
    // A prompt may be long, and only its beginning is needed.
    let beginning: String = text.chars().take(8 * MOST_LETTERS).collect();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&beginning);
    let mut name = String::new();
    for word in composed.split(|letter| !is_allowed(letter)).filter(|word| word.starts_with(char::is_alphanumeric)) {
        if name.is_empty() {
            for letter in word.graphemes(true) {
                if !fits(&name, letter) {
                    return name;
                }
                name.push_str(letter);
            }
        } else if fits(&name, word) {
            name.push('-');
            name.push_str(word);
        } else {
            return name;
        }
    }
    name
}

/// Whether a character is a visible letter or digit, or a mark on one. A mark on a letter has a combining class; characters that
/// only control how text is displayed have none.
fn is_allowed(letter: char) -> bool {
    // Hangul fillers, which count as letters but are invisible.
    let invisible = matches!(letter, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    !invisible && (letter.is_alphanumeric() || CanonicalCombiningClassMapBorrowed::new().get_u8(letter) != 0)
}

fn fits(name: &str, more: &str) -> bool {
    name.len() + 1 + more.len() <= MOST_BYTES && name.chars().count() + 1 + more.chars().count() <= MOST_LETTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_script_are_kept() {
        for (prompt, expected) in [
            ("a red circle", "a-red-circle"),
            ("  A red, round circle!  ", "A-red-round-circle"),
            ("красный круг", "красный-круг"),
            ("赤い丸", "赤い丸"),
            ("cafe\u{301} au lait", "café-au-lait"),
            ("\u{915}\u{94d}\u{930}\u{92e}", "\u{915}\u{94d}\u{930}\u{92e}"),
            ("(masterpiece:1.2), best_quality, 1girl", "masterpiece-1-2-best-quality-1girl"),
            ("", ""),
            ("🔴 !!! ...", ""),
        ] {
            assert_eq!(words(prompt), expected, "{prompt:?}");
        }
    }

    #[test]
    fn other_characters_are_left_out_of_a_name() {
        for prompt in [
            "../../etc/passwd",
            "..\\..\\windows\\system32",
            "C:\\con:stream",
            "/dev/null",
            "-rf .hidden",
            "a\r\nSet-Cookie: b=c\0d",
            "quote\" ; filename=evil.exe",
            "\u{202e}gnp.exe\u{202c} \u{2066}a\u{2069} \u{200b}\u{feff}\u{200d}b",
            "<script>alert(1)</script> `id` $(id) %2e%2e%2f *?|",
            "\u{e0041}\u{e0042}\u{fe0f} tag",
            "\u{301}\u{302} lonely marks",
        ] {
            let name = words(prompt);
            let harmless = |c: char| c == '-' || (c.is_alphanumeric() && !c.is_control());
            assert!(name.chars().all(harmless), "{prompt:?}: {name:?}");
            assert!(name.is_empty() || name.starts_with(char::is_alphanumeric), "{prompt:?}: {name:?}");
        }
        assert_eq!(words("../../etc/passwd"), "etc-passwd");
        assert_eq!(words("\u{202e}gnp.exe"), "gnp-exe");
        assert_eq!(words("\u{3164}\u{115f} nothing to see"), "nothing-to-see");
        assert_eq!(plain("../my model\r\n"), "my-model");
        assert_eq!(plain("..."), "result");
    }

    #[test]
    fn names_are_short() {
        assert_eq!(words(&"word ".repeat(400)), ["word"; 8].join("-"));
        for prompt in
            ["x".repeat(2000), "щ".repeat(2000), "龍".repeat(2000), "😀a".repeat(500), "e\u{301}\u{302}".repeat(900)]
        {
            let name = words(&prompt);
            assert!(!name.is_empty() && name.len() <= MOST_BYTES && name.chars().count() <= MOST_LETTERS, "{name}");
        }
        assert_eq!(plain(&"m".repeat(300)).len(), MOST_LETTERS);
    }
}
