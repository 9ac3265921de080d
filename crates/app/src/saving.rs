//! What leaves the app: files, and the command line that would do the same.

use serde_json::error::Category;
use stethoscope_core::report::DeltaReport;
use stethoscope_show as show;

/// What a report can be saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Everything, for programs, and to be opened here again.
    Json,
    /// A row for every tensor.
    Csv,
    /// One self-contained page.
    Html,
    /// One of the figures, by its index among [`show::figures::FILE_NAMES`].
    Svg(usize),
}

impl Format {
    /// All but the figures.
    pub const WHOLE: [Self; 3] = [Self::Json, Self::Csv, Self::Html];

    /// What a menu calls it.
    pub fn label(self) -> String {
        match self {
            Self::Json => "Report as JSON".to_owned(),
            Self::Csv => "Table as CSV".to_owned(),
            Self::Html => "Page as HTML".to_owned(),
            Self::Svg(index) => {
                let name = show::figures::FILE_NAMES.get(index).copied().unwrap_or_default();
                format!("Figure {}", name.trim_end_matches(".svg").replace('-', " "))
            }
        }
    }

    /// What its file is called unless the person chooses another name.
    pub fn file_name(self) -> String {
        match self {
            Self::Json => "delta.json".to_owned(),
            Self::Csv => "delta.csv".to_owned(),
            Self::Html => "delta.html".to_owned(),
            Self::Svg(index) => show::figures::FILE_NAMES.get(index).copied().unwrap_or("figure.svg").to_owned(),
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// A sentence for a person, if it cannot be drawn.
    pub fn write(self, report: &DeltaReport) -> Result<Vec<u8>, String> {
        let failed = |error: &dyn std::error::Error| format!("{} could not be made: {error}", self.file_name());
        match self {
            Self::Json => {
                let mut json = serde_json::to_vec_pretty(report).map_err(|error| failed(&error))?;
                json.push(b'\n');
                Ok(json)
            }
            Self::Csv => {
                let mut csv = Vec::new();
                show::csv::delta(report, &mut csv).map_err(|error| failed(&error))?;
                Ok(csv)
            }
            Self::Html => Ok(show::page::delta(report).map_err(|error| failed(&error))?.into_bytes()),
            Self::Svg(index) => {
                let figures = show::figures::all(report).map_err(|error| failed(&error))?;
                let name = show::figures::FILE_NAMES.get(index).copied().unwrap_or_default();
                let figure = figures.into_iter().find(|figure| figure.file_name == name);
                let figure = figure.ok_or_else(|| format!("this report has no numbers for {name}"))?;
                Ok(figure.svg.into_bytes())
            }
        }
    }
}

/// Words as a POSIX shell reads them.
pub fn quoted(words: &[String]) -> String {
    let quote = |word: &String| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
        match !word.is_empty() && word.bytes().all(is_plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Reads the bytes of a report's file.
///
/// # Errors
/// What the file is instead, and what to do; to stand behind its name and a colon.
pub fn read(bytes: &[u8]) -> Result<DeltaReport, String> {
    const SCHEMA: &str = "stethoscope.delta/1";
    /// What every report begins with.
    #[derive(serde::Deserialize)]
    struct Beginning {
        schema: Option<serde_json::Value>,
    }
    let beginning: Beginning = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => NO_REPORT.to_owned(),
        _ => format!("not JSON ({error}); open a report that `delta --json` wrote"),
    })?;
    match beginning.schema.as_ref().and_then(serde_json::Value::as_str) {
        Some(SCHEMA) => serde_json::from_slice(bytes).map_err(|error| {
            format!("says that it is a {SCHEMA}, but is not whole ({error}); write it again with `delta --json`")
        }),
        Some(newer) if newer.starts_with("stethoscope.delta/") => Err(format!(
            "a {}, where this version reads {SCHEMA}; open it with the version that wrote it, or measure again",
            show::text::printable(newer)
        )),
        Some(other) => {
            Err(format!("a {}; only reports of `delta --json` can be opened here", show::text::printable(other)))
        }
        None => Err(NO_REPORT.to_owned()),
    }
}

/// What is said of JSON that is something else.
const NO_REPORT: &str = "JSON, but no report; open a checkpoint, or what `delta --json` wrote";

#[cfg(test)]
mod tests {
    use stethoscope_core::report::RelativeDefinition;
    use stethoscope_core::work::DeltaRequest;

    use super::*;

    #[test]
    fn the_command_line_asks_for_the_same() {
        let mut request = DeltaRequest {
            a: "demo:base".into(),
            b: "my model's folder".into(),
            select: "all".into(),
            relative: RelativeDefinition::Script,
            norms_only: false,
            spectrum: false,
        };
        assert_eq!(
            quoted(&request.command_line(&request.a, &request.b)),
            r"stethoscope delta demo:base 'my model'\''s folder'"
        );
        request.select = "o_proj & layers 5..30".into();
        request.norms_only = true;
        request.relative = RelativeDefinition::Formula;
        assert_eq!(
            request.command_line(&request.a, &request.b)[4..],
            ["--select", "o_proj & layers 5..30", "--relative", "formula", "--norms-only"]
        );
    }

    #[test]
    fn what_is_no_report_says_what_it_is_and_what_to_do() {
        for (bytes, words) in [
            (&b"GGUF"[..], "not JSON"),
            (b"{}", "no report; open"),
            (b"[1]", "no report; open"),
            (br#"{"schema":"stethoscope.delta/2"}"#, "the version that wrote it"),
            (br#"{"schema":"stethoscope.inspect/1"}"#, "only reports"),
            (br#"{"schema":"stethoscope.delta/1"}"#, "not whole"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
