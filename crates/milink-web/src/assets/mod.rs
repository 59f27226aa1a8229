//! Files that are in the binary: style, scripts, the icon, the Grafana dashboard.
//!
//! Each has its hash in its address and so never changes: a browser asks for it once. `build.rs` makes the table.

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// A file.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its path under `assets`.
    pub(crate) name: &'static str,
    /// The beginning of its SHA-256.
    pub(crate) hash: &'static str,
    content_type: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

impl Asset {
    /// What is in it.
    pub(crate) fn bytes(&self) -> &'static [u8] {
        self.plain
    }
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file by its path.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ALL.iter().find(|a| a.name == name)
}

/// The address of a file, for templates: `{{ crate::assets::url("app.css") }}`. A name that there is not gets an address that is not found;
/// a test reads all templates for such names.
pub(crate) fn url(name: &str) -> String {
    format!("/assets/{}/{name}", find(name).map_or("missing", |a| a.hash))
}

/// Answers with a file.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    match find(&name).filter(|a| a.hash == hash) {
        Some(asset) => answer(asset, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let says = |name, word: &str| {
        headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).is_some_and(|v| v.contains(word))
    };
    let tag = format!("\"{}\"", asset.hash);
    let caching = [
        (CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (ETAG, tag.clone()),
        (VARY, "accept-encoding".to_owned()),
    ];
    if says(IF_NONE_MATCH, &tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let content_type = [(CONTENT_TYPE, asset.content_type)];
    if says(ACCEPT_ENCODING, "gzip") {
        return (caching, content_type, [(CONTENT_ENCODING, "gzip")], asset.gzip).into_response();
    }
    (caching, content_type, asset.plain).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_template_names_is_there() {
        let mut seen = 0;
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split("assets::url(\"").skip(1) {
                    let name = part.split('"').next().unwrap();
                    assert!(find(name).is_some(), "{} names {name}", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen >= 4, "{seen}");
    }
}
