//! Formats that are not accepted: recognises each by its first bytes and tells how to convert it.

use crate::Error;

/// A format that is not accepted.
#[derive(Debug, Clone, Copy)]
struct Foreign {
    name: &'static str,
    action: &'static str,
}

const GIF: Foreign = Foreign {
    name: "a GIF",
    action: "Send one frame of it as a PNG; `ffmpeg -i picture.gif -frames:v 1 picture.png` saves the first.",
};
const HEIC: Foreign = Foreign {
    name: "a HEIC picture, as phones take them",
    action: "Send it as a JPEG: share or export it from the phone's gallery as JPEG, take pictures with the camera's setting \
             Most Compatible, or convert it with `heif-convert picture.heic picture.jpg`.",
};
const AVIF: Foreign = Foreign {
    name: "an AVIF picture",
    action: "Send it as a PNG or JPEG; `avifdec picture.avif picture.png` and most picture viewers convert it.",
};
const JPEG_XL: Foreign = Foreign {
    name: "a JPEG XL picture",
    action: "Send it as a PNG or JPEG; `djxl picture.jxl picture.png` converts it.",
};
const JPEG_2000: Foreign = Foreign {
    name: "a JPEG 2000 picture",
    action: "Open it in a picture editor, save it as a PNG or JPEG, and send that.",
};
const TIFF: Foreign = Foreign {
    name: "a TIFF or a camera's raw picture",
    action: "Open it in a picture editor, save it as a PNG or JPEG, and send that.",
};
const BMP: Foreign = Foreign { name: "a BMP", action: "Save it as a PNG, and send that." };
const ICON: Foreign = Foreign { name: "an icon", action: "Save the icon's largest picture as a PNG, and send that." };
const PHOTOSHOP: Foreign = Foreign { name: "a Photoshop file", action: "Export it as a PNG or JPEG, and send that." };
const PDF: Foreign = Foreign { name: "a PDF", action: "Export the page as a PNG or JPEG, and send that." };
const SVG: Foreign =
    Foreign { name: "an SVG or another XML text", action: "Export the drawing as a PNG, and send that." };
const PAGE: Foreign = Foreign {
    name: "a web page",
    action: "Send the file of the picture; the address that it was fetched from belongs to a web page.",
};
const CLIP: Foreign = Foreign {
    name: "a video",
    action: "Send one frame of it as a PNG; `ffmpeg -i clip.mp4 -frames:v 1 frame.png` saves the first.",
};
const ENCODED: Foreign = Foreign {
    name: "text, the base64 of a picture",
    action: "Send the bytes that the text stands for, or the text itself as a data URI.",
};

/// The first bytes of files.
const BEGINNINGS: &[(&[u8], Foreign)] = &[
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\xFF\x0A", JPEG_XL),
    (b"\0\0\0\x0CJXL \r\n\x87\n", JPEG_XL),
    (b"\0\0\0\x0CjP  ", JPEG_2000),
    (b"\xFF\x4F\xFF\x51", JPEG_2000),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"BM", BMP),
    (b"\0\0\x01\0", ICON),
    (b"8BPS", PHOTOSHOP),
    (b"%PDF", PDF),
    (b"<svg", SVG),
    (b"<?xml", SVG),
    (b"<!DOCTYPE html", PAGE),
    (b"<!doctype html", PAGE),
    (b"<html", PAGE),
    (b"\x1A\x45\xDF\xA3", CLIP),
    (b"data:image/", ENCODED),
    (b"iVBORw0KGgo", ENCODED),
    (b"/9j/", ENCODED),
    (b"UklGR", ENCODED),
];

/// Brands of ISO media files, which come after `ftyp`.
const BRANDS: &[(&[u8; 4], Foreign)] = &[
    // AVIF first: both kinds have the brand `mif1`.
    (b"avif", AVIF),
    (b"avis", AVIF),
    (b"heic", HEIC),
    (b"heix", HEIC),
    (b"heim", HEIC),
    (b"heis", HEIC),
    (b"hevc", HEIC),
    (b"hevx", HEIC),
    (b"mif1", HEIC),
    (b"msf1", HEIC),
];

/// Media types in data URIs.
const TYPES: &[(&str, Foreign)] = &[
    ("image/gif", GIF),
    ("image/heic", HEIC),
    ("image/heif", HEIC),
    ("image/avif", AVIF),
    ("image/jxl", JPEG_XL),
    ("image/tiff", TIFF),
    ("image/bmp", BMP),
    ("image/svg+xml", SVG),
    ("video/", CLIP),
];

/// Returns the error for bytes that are not a PNG, JPEG or WebP file.
pub(super) fn of_bytes(bytes: &[u8]) -> Error {
    match of_boxes(bytes).or_else(|| of_beginning(bytes)) {
        Some(foreign) => foreign.refusal(),
        None => Error::invalid_request("the image is not a PNG, JPEG or WebP file").with_action(super::ACCEPTED),
    }
}

/// Returns the error for a data URI with a known type that is not accepted.
pub(super) fn of_data_uri(uri: &str) -> Option<Error> {
    let kind = uri.strip_prefix("data:")?;
    TYPES.iter().find(|(name, _)| kind.starts_with(name)).map(|(_, foreign)| foreign.refusal())
}

fn of_beginning(bytes: &[u8]) -> Option<Foreign> {
    // Texts may begin with a byte order mark and white space.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let begins = |with: &[u8]| bytes.starts_with(with) || text.starts_with(with);
    BEGINNINGS.iter().find(|(beginning, _)| begins(beginning)).map(|(_, foreign)| *foreign)
}

/// Recognises a format by its own brand and its compatible brands. All other brands are videos.
fn of_boxes(bytes: &[u8]) -> Option<Foreign> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    (bytes.get(4..8)? == b"ftyp").then_some(())?;
    let brands = bytes.get(8..length.min(bytes.len()))?.as_chunks::<4>().0;
    Some(BRANDS.iter().find(|(name, _)| brands.contains(name)).map_or(CLIP, |(_, foreign)| *foreign))
}

impl Foreign {
    fn refusal(self) -> Error {
        Error::invalid_request(format!("the image is {}, not a PNG, JPEG or WebP file", self.name))
            .with_action(self.action)
    }
}
