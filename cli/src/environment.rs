//! Arguments, and the environment variables that are used for missing ones. Empty variables, as from `${X:-}`, count as not set.
//! Spaces and line breaks at the ends are removed. Yes and no can be written in the usual ways.

use crate::args::Args;
use clap::builder::{EnumValueParser, PathBufValueParser, Resettable, StringValueParser, TypedValueParser};
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _, ValueEnum};
use must::Error;
use must::secrets::SecretText;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Reads the arguments, which begin with the program's name, and the variables.
///
/// # Errors
/// clap's error for invalid arguments, or its request to show help or the version.
pub(crate) fn try_parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let matches = without_empty_variables(Args::command()).try_get_matches_from(arguments)?;
    Args::from_arg_matches(&matches)
}

/// The command without the variables that are empty.
fn without_empty_variables(command: Command) -> Command {
    let set = |arg: Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| is_blank(&value)) { arg.env(Resettable::Reset) } else { arg }
    };
    command.mut_args(set).mut_subcommands(without_empty_variables)
}

fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

/// A path, without the line break at its end that a variable may have.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| match path.to_str() {
        Some(text) => PathBuf::from(text.trim_end_matches(['\r', '\n'])),
        None => path,
    })
}

/// A text, without spaces and line breaks at its ends.
pub(crate) fn text() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|text| text.trim().to_owned())
}

/// A number, without spaces and line breaks at its ends.
pub(crate) fn number() -> impl TypedValueParser<Value = u32> {
    StringValueParser::new().try_map(|text| text.trim().parse::<u32>())
}

/// Yes or no, in upper or lower case.
pub(crate) fn flag() -> impl TypedValueParser<Value = bool> {
    StringValueParser::new().try_map(|text| match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write true or false; 1 and 0, yes and no, on and off mean the same"),
    })
}

/// One of several names, in upper or lower case.
pub(crate) fn name<T: ValueEnum + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T> {
    Trimmed(EnumValueParser::new())
}

/// Removes spaces and line breaks at the ends of a value for another parser, and offers that parser's names.
#[derive(Clone)]
struct Trimmed<P>(P);

impl<P: TypedValueParser> TypedValueParser for Trimmed<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        let trimmed = value.to_str().map_or(value, |text| OsStr::new(text.trim()));
        self.0.parse_ref(command, arg, trimmed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// A secret from the environment, because every user of the machine could see an argument. An empty one counts as not set.
///
/// # Errors
/// `validation_error` for a value that is not text.
pub(crate) fn secret(name: &str) -> Result<Option<SecretText>, Error> {
    let Some(value) = std::env::var_os(name).filter(|value| !is_blank(value)) else { return Ok(None) };
    match value.to_str() {
        Some(text) => Ok(Some(SecretText::new(text.trim()))),
        None => Err(Error::validation(format!("the variable {name} is not UTF-8"))
            .with_action("Set it to letters, digits and ASCII signs, such as the output of `openssl rand -hex 32`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::EnvironmentName;

    fn read<P: TypedValueParser>(parser: P, text: &str) -> Result<P::Value, clap::Error> {
        let any_case = Arg::new("value").ignore_case(true);
        parser.parse_ref(&Command::new("must"), Some(&any_case), OsStr::new(text))
    }

    #[test]
    fn yes_and_no_are_read_in_all_usual_forms() {
        for text in ["1", "true", "True", "TRUE", "yes", "YES", "on", "On", " true\r\n"] {
            assert!(read(flag(), text).unwrap(), "{text:?}");
        }
        for text in ["0", "false", "False", "no", "NO", "off", "OFF", "0\n"] {
            assert!(!read(flag(), text).unwrap(), "{text:?}");
        }
        for text in ["", "2", "maybe", "tru", "truefalse"] {
            assert!(read(flag(), text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn spaces_and_line_breaks_at_the_ends_of_values_are_removed() {
        assert_eq!(read(text(), " 127.0.0.1:8000\r\n").unwrap(), "127.0.0.1:8000");
        assert_eq!(read(path(), "/srv/my data\r").unwrap(), PathBuf::from("/srv/my data"));
        for text in ["prod", "PROD", "prod\r"] {
            assert!(matches!(read(name::<EnvironmentName>(), text), Ok(EnvironmentName::Prod)), "{text:?}");
        }
        assert!(read(name::<EnvironmentName>(), "production").is_err());
    }
}
