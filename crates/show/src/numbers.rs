//! Numbers as a person reads them: three significant digits, units, and no claim beyond what was counted.

/// A ratio as a percentage: `12.3 %`, `0.012 %`, `1.2e-5 %`; `–` where there is none.
pub fn percent(ratio: Option<f64>) -> String {
    let Some(ratio) = ratio.filter(|ratio| ratio.is_finite()) else { return "–".to_owned() };
    let percentage = ratio * 100.0;
    match percentage.abs() {
        0.0 => "0 %".to_owned(),
        size if size >= 9999.5 => format!("{percentage:.1e} %"),
        size if size >= 99.95 => format!("{percentage:.0} %"),
        size if size >= 9.995 => format!("{percentage:.1} %"),
        size if size >= 0.9995 => format!("{percentage:.2} %"),
        size if size >= 0.001 => format!("{percentage:.3} %"),
        _ => format!("{percentage:.1e} %"),
    }
}

/// How much of `whole` is `part`: `100 %` only if it is all of it, `0 %` only if it is none.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percentage = part as f64 / whole as f64 * 100.0;
    match percentage {
        _ if part == 0 => "0 %".to_owned(),
        _ if part >= whole => "100 %".to_owned(),
        percentage if percentage >= 99.95 => ">99.9 %".to_owned(),
        percentage if percentage >= 9.95 => format!("{percentage:.1} %"),
        percentage if percentage >= 0.995 => format!("{percentage:.2} %"),
        percentage if percentage >= 0.0005 => format!("{percentage:.3} %"),
        _ => "<0.001 %".to_owned(),
    }
}

/// Three significant digits: `1.23e-4` where it is small or large, `12.3` in between.
pub fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(0.00995..9999.5).contains(&size) => format!("{value:.2e}"),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// [`significant`], or `–`.
pub fn significant_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), significant)
}

/// A count with its thousands apart: `1,543,714,304`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in the words of model names: `1.54 B`, `494 M`, `896`.
pub fn parameters(count: u64) -> String {
    scaled(count, &["", " K", " M", " B", " T"])
}

/// The same with its noun: `1.54 B parameters`, `1 parameter`.
pub fn counted_parameters(count: u64) -> String {
    format!("{} parameter{}", parameters(count), plural(count))
}

/// A size in decimal units: `3.09 GB`.
pub fn bytes(count: u64) -> String {
    scaled(count, &[" B", " kB", " MB", " GB", " TB", " PB"])
}

fn scaled(count: u64, units: &[&str]) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let suffix = units.get(unit).copied().unwrap_or_default();
    match value {
        _ if unit == 0 => format!("{count}{suffix}"),
        value if value >= 99.95 => format!("{value:.0}{suffix}"),
        value if value >= 9.995 => format!("{value:.1}{suffix}"),
        value => format!("{value:.2}{suffix}"),
    }
}

/// `s` where there is not exactly one.
pub const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Wall time: `0.84 s`, `12.3 s`, `3 min 07 s`.
pub fn duration(seconds: f64) -> String {
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        // Whole seconds of a wall time fit.
        let whole = seconds.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_three_digits() {
        let shown =
            [0.0, 1.2e-7, 0.000123, 0.00999, 0.0123, 0.1234, 0.99996, 3.21, 1e5].map(|ratio| percent(Some(ratio)));
        assert_eq!(shown, ["0 %", "1.2e-5 %", "0.012 %", "0.999 %", "1.23 %", "12.3 %", "100 %", "321 %", "1.0e7 %"]);
        assert_eq!(percent(None), "–");
    }

    #[test]
    fn a_share_says_all_and_none_only_when_it_is() {
        assert_eq!(share(99_999, 100_000), ">99.9 %");
        assert_eq!(share(100, 100), "100 %");
        assert_eq!(share(1, 1_000_000_000), "<0.001 %");
        assert_eq!(share(0, 10), "0 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(31, 1000), "3.10 %");
    }

    #[test]
    fn counts_and_sizes_are_scaled_and_grouped() {
        assert_eq!(parameters(1_543_714_304), "1.54 B");
        assert_eq!(parameters(999_999), "1.00 M");
        assert_eq!(parameters(896), "896");
        assert_eq!(bytes(3_087_428_608), "3.09 GB");
        assert_eq!(grouped(1_543_714_304), "1,543,714,304");
        assert_eq!(grouped(12), "12");
        assert_eq!(duration(187.2), "3 min 07 s");
    }
}
