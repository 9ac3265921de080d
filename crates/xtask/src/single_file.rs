//! `cargo xtask web --single-file`: the page as one HTML file, to be opened from a disk by double click.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::command::root;
use crate::web::DEMO;

/// The scripts that the app consists of.
const SCRIPTS: [&str; 9] = [
    "app.js",
    "files.js",
    "instrument.js",
    "out.js",
    "served.js",
    "server.js",
    "serving.js",
    "stethoscope.js",
    "worker.js",
];

/// Writes the file, from the page in a folder.
pub fn write(page: &Path, out: &Path) -> anyhow::Result<()> {
    let read = |name: &str| {
        let path = page.join(name);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    let text = |name: &str| anyhow::Ok(String::from_utf8(read(name)?).with_context(|| format!("reading {name}"))?);
    let icon = format!("data:image/svg+xml;base64,{}", BASE64.encode(read("icon.svg")?));
    let boot_path = root().join("web/single/boot.js");
    let boot = fs::read_to_string(&boot_path).with_context(|| format!("reading {}", boot_path.display()))?;

    let mut embedded = String::new();
    for name in SCRIPTS.into_iter().chain([DEMO]) {
        let content = text(name)?;
        ensure!(!content.contains("</script"), "{name} cannot stand in a page: it contains the end of a script");
        embedded.push_str(&format!("<script type=\"text/plain\" id=\"file:{name}\">\n{content}</script>\n"));
    }
    let mut packed = Vec::new();
    let module = read("stethoscope_bg.wasm")?;
    flate2::read::GzEncoder::new(&module[..], flate2::Compression::best()).read_to_end(&mut packed)?;
    let module = BASE64.encode(packed);
    embedded.push_str(&format!("<script type=\"text/plain\" id=\"file:stethoscope_bg.wasm.gz\">{module}</script>\n"));
    // The only script that is run as it stands, and named by its hash; it makes the others' addresses.
    embedded.push_str(&format!("<script type=\"module\">{boot}</script>\n"));

    let hash = BASE64.encode(Sha256::digest(&boot));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}' 'wasm-unsafe-eval' blob:; worker-src blob:; \
         connect-src https: http://localhost:* http://127.0.0.1:*; style-src 'unsafe-inline'; img-src data:; \
         base-uri 'none'; form-action 'none'"
    );
    let style = text("app.css")?;
    let html = text("index.html")?;
    let html = replace(&html, between("content=\"default-src", "\">"), &format!("content=\"{policy}\">"))?;
    let html = replace(&html, between("<link rel=\"stylesheet\"", ">"), &format!("<style>\n{style}</style>"))?;
    let html = replace(&html, between("<script type=\"module\"", "</script>"), "")?;
    let html = replace(&html, between("<a id=\"plain\"", "</a>"), "")?;
    let html = html.replace("\"icon.svg\"", &format!("\"{icon}\""));
    let html = replace(&html, between("</body>", ">"), &format!("{embedded}</body>"))?;
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(out, html).with_context(|| format!("writing {}", out.display()))
}

/// A part of a page: from its first words to its last.
struct Between<'a>(&'a str, &'a str);

const fn between<'a>(first: &'a str, last: &'a str) -> Between<'a> {
    Between(first, last)
}

/// The text with one part replaced; an error if it is not there, since then the page was changed and this was not.
fn replace(text: &str, Between(first, last): Between<'_>, with: &str) -> anyhow::Result<String> {
    let Some(start) = text.find(first) else { bail!("index.html has no {first}") };
    let Some(length) = text[start + first.len() - 1..].find(last) else { bail!("index.html has no {last}") };
    let end = start + first.len() - 1 + length + last.len();
    Ok(format!("{}{with}{}", &text[..start], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_once_and_missed_if_it_is_not_there() {
        let page = "<a id=\"plain\" href=\"x\">words</a><b>";
        assert_eq!(replace(page, between("<a id=\"plain\"", "</a>"), "!").expect("there"), "!<b>");
        assert!(replace(page, between("<i", ">"), "").is_err());
    }
}
