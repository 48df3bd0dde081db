//! Reads the pictures that a request of the host's own code names by path.
//!
//! Never use this for a request that came over a network: its sender would choose which files of this machine are read.

use crate::catalog::{Catalog, Kind};
use crate::error::{Error, Result};
use crate::media::read_image_file;
use crate::request::GenerateRequest;
use serde_json::Value;
use std::path::Path;

/// Takes the text of each image parameter, unless it is a data URI, as the path of a file and replaces it by the file's bytes.
/// Other faults of the request are left to its validation.
pub(super) fn read(catalog: &Catalog, request: &mut GenerateRequest) -> Result<()> {
    let Some(model) = catalog.model(&request.model) else { return Ok(()) };
    for (name, parameter) in model.parameters.iter().filter(|(_, parameter)| parameter.is_media()) {
        if parameter.kind == Kind::Image {
            if let Some(bytes) = file_of(name, request.parameters.get(name))? {
                request.parameters.remove(name);
                request.images.insert(name.clone(), bytes);
            }
            continue;
        }
        let Some(item) = &parameter.item else { continue };
        let fields = item.iter().filter(|(_, field)| field.rules.kind == Kind::Image).map(|(field, _)| field);
        let entries = request.parameters.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            for field in fields.clone() {
                let path = format!("{name}[{index}].{field}");
                if let Some(bytes) = file_of(&path, entry.get(field))?
                    && let Some(entry) = entry.as_object_mut()
                {
                    entry.remove(field);
                    request.images.insert(path, bytes);
                }
            }
        }
    }
    Ok(())
}

/// Returns the bytes of the file that `given` names. Returns `None` if it is not text, is empty, or is a data URI.
fn file_of(name: &str, given: Option<&Value>) -> Result<Option<Vec<u8>>> {
    let Some(text) = given.and_then(Value::as_str) else { return Ok(None) };
    let is_data = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if is_data || text.is_empty() {
        return Ok(None);
    }
    if let Some((scheme @ ("http" | "https"), _)) = text.split_once("://") {
        return Err(Error::validation(format!(
            "{name} is an {scheme} address, but nothing is fetched from the network"
        ))
        .with_action("Download the picture, and give its bytes or the path of its file."));
    }
    match read_image_file(Path::new(text)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => {
            Err(Error::new(error.code(), format!("{name}: {}", error.detail())).with_action(error.user_action()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use serde_json::json;

    #[test]
    fn paths_are_replaced_by_bytes_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.png");
        std::fs::write(&file, b"picture").unwrap();
        let path = file.to_str().unwrap();
        let uri = "data:image/png;base64,AA==";
        let catalog = Catalog::built_in().unwrap();
        let mut request = GenerateRequest::new("anisora", path)
            .set("reference_image", path)
            .set("first_frame_image", uri)
            .set("last_frame_image", "DATA:image/png;base64,AA==")
            .set("sampler", path)
            .set(
                "arbitrary_frames",
                json!([{"frame_index": 0, "image": path}, {"image": uri}, {"image": 7}, path, {}]),
            );
        read(&catalog, &mut request).unwrap();
        let names: Vec<_> = request.images.keys().map(String::as_str).collect();
        assert_eq!(names, ["arbitrary_frames[0].image", "reference_image"]);
        assert!(request.images.values().all(|bytes| bytes == b"picture"));
        assert_eq!(request.parameters["prompt"], path);
        assert_eq!(request.parameters["first_frame_image"], uri);
        assert_eq!(request.parameters["sampler"], path);
        assert!(!request.parameters.contains_key("reference_image"));
        assert_eq!(
            request.parameters["arbitrary_frames"],
            json!([{"frame_index": 0}, {"image": uri}, {"image": 7}, path, {}])
        );
    }

    #[test]
    fn the_error_for_a_missing_file_names_the_parameter() {
        let catalog = Catalog::built_in().unwrap();
        for (text, said) in [
            ("missing.png", "there is no file"),
            ("https://example.com/picture.png", "https address"),
            ("iVBORw0KGgo", "there is no file"),
        ] {
            let mut request = GenerateRequest::new("tiny-video", "a circle").set("reference_image", text);
            let error = read(&catalog, &mut request).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValidationError);
            assert!(error.detail().starts_with("reference_image") && error.detail().contains(said), "{error:?}");
        }
        let mut unknown = GenerateRequest::new("no-such", "a circle").set("reference_image", "missing.png");
        read(&catalog, &mut unknown).unwrap();
    }
}
