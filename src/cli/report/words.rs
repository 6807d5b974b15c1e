//! Numbers, times and commands of a run in words.

use serde_json::Value;

/// A number of a record, which has words for those that JSON has none for.
pub fn number(v: &Value) -> Option<f64> {
    v.as_f64().or_else(|| v.as_str()?.parse().ok())
}

pub fn bare(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
}

pub fn short(v: f64) -> String {
    match v.abs() {
        x if !v.is_finite() || x == 0.0 => v.to_string(),
        x if (1000.0..1e7).contains(&x) => format!("{v:.0}"),
        x if (0.001..1000.0).contains(&x) => format!("{v:.4}"),
        _ => format!("{v:.2e}"),
    }
}

pub fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// `2026-11-30 12:34 UTC` (H. Hinnant, chrono-compatible low-level date algorithms).
pub fn date(at: u64) -> String {
    let (days, rest) = ((at / 86_400) as i64, at % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

/// As a shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_540), "2026-12-31 23:59 UTC");
    }

    #[test]
    fn words_of_a_command_are_words() {
        assert_eq!(quoted("--set"), "--set");
        assert_eq!(quoted("Some(lr = 1)"), "'Some(lr = 1)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
