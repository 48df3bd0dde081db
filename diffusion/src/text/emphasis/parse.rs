//! Parses brackets and weights: splits a prompt into pieces of text, each with a weight.
//!
//! Always holds: any text can be parsed, and weights are finite. Neighbouring pieces with the same weight are joined, because
//! each piece is split into tokens on its own, so a word cannot continue in the next piece.

use super::super::prompt::is_space;

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Text and its weight.
    Text(String, f64),
    /// `BREAK`, which ends the chunk.
    Break,
}

/// The factor of `(` and `)` around a text.
const ROUND: f64 = 1.1;
/// The factor of `[` and `]` around a text.
const SQUARE: f64 = 1.0 / ROUND;
/// The word that ends a chunk.
const BREAK: &str = "BREAK";

/// Parses a prompt into pieces, at least one.
pub(super) fn parse(prompt: &str) -> Vec<Piece> {
    let mut parser = Parser::default();
    let mut rest = prompt;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        rest = match letter {
            '\\' => parser.escape(after),
            '(' => {
                parser.round.push(parser.pieces.len());
                after
            }
            '[' => {
                parser.square.push(parser.pieces.len());
                after
            }
            ':' => parser.colon(after),
            ')' => {
                match parser.round.pop() {
                    Some(start) => parser.multiply(start, ROUND),
                    None => parser.text(")"),
                }
                after
            }
            ']' => {
                match parser.square.pop() {
                    Some(start) => parser.multiply(start, SQUARE),
                    None => parser.text("]"),
                }
                after
            }
            _ => {
                let end = rest.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(rest.len());
                let (plain, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                parser.breaks(plain);
                after
            }
        };
    }
    parser.finish()
}

#[derive(Default)]
struct Parser {
    pieces: Vec<Piece>,
    /// The numbers of the pieces at which the open brackets begin.
    round: Vec<usize>,
    square: Vec<usize>,
}

impl Parser {
    fn text(&mut self, text: &str) {
        self.pieces.push(Piece::Text(text.to_owned(), 1.0));
    }

    /// Handles the text after a backslash. An escaped bracket or backslash is text; before anything else the backslash is
    /// dropped.
    fn escape<'t>(&mut self, after: &'t str) -> &'t str {
        let end = usize::from(after.starts_with(['(', ')', '[', ']', '\\']));
        let (escaped, rest) = after.split_at_checked(end).unwrap_or((after, ""));
        self.text(escaped);
        rest
    }

    /// Handles the text after a colon: a weight and the closing bracket, or text.
    fn colon<'t>(&mut self, after: &'t str) -> &'t str {
        if let Some((weight, rest)) = weight(after)
            && let Some(start) = self.round.pop()
        {
            self.multiply(start, weight);
            return rest;
        }
        self.text(":");
        after
    }

    fn multiply(&mut self, start: usize, factor: f64) {
        for piece in self.pieces.iter_mut().skip(start) {
            if let Piece::Text(_, weight) = piece {
                *weight *= factor;
            }
        }
    }

    /// Adds text, and divides it at each word `BREAK`. Drops the white space around that word.
    fn breaks(&mut self, plain: &str) {
        let word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut start = 0;
        for (place, found) in plain.match_indices(BREAK) {
            let (before, after) = (plain.get(..place), plain.get(place + found.len()..));
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            if before.ends_with(word) || after.starts_with(word) {
                continue;
            }
            let text = before.get(start..).unwrap_or_default().trim_end_matches(is_space);
            self.text(text);
            self.pieces.push(Piece::Break);
            start = plain.len() - after.trim_start_matches(is_space).len();
        }
        self.text(plain.get(start..).unwrap_or_default());
    }

    /// Closes the remaining brackets at the end of the prompt, and returns the pieces.
    fn finish(mut self) -> Vec<Piece> {
        for start in std::mem::take(&mut self.round) {
            self.multiply(start, ROUND);
        }
        for start in std::mem::take(&mut self.square) {
            self.multiply(start, SQUARE);
        }
        let mut merged: Vec<Piece> = vec![];
        for piece in self.pieces {
            match (merged.last_mut(), piece) {
                (Some(Piece::Text(text, of_last)), Piece::Text(more, weight)) if *of_last == weight => {
                    text.push_str(&more);
                }
                (_, piece) => merged.push(piece),
            }
        }
        for piece in &mut merged {
            if let Piece::Text(_, weight) = piece
                && !(*weight as f32).is_finite()
            {
                *weight = 1.0;
            }
        }
        if merged.is_empty() {
            merged.push(Piece::Text(String::new(), 1.0));
        }
        merged
    }
}

/// Parses a weight and its closing bracket, ` 1.2 )`. Returns the weight and the rest of the text, or `None` if the text does
/// not begin with them.
fn weight(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start_matches(is_space);
    let signed = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = signed.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let number = text.get(..text.len() - digits.len())?;
    let rest = digits.trim_start_matches(is_space).strip_prefix(')')?;
    let weight: f64 = number.parse().ok()?;
    weight.is_finite().then_some((weight, rest))
}
