//! Makes text from outside harmless for a terminal (A198).

use core::iter::Peekable;
use core::str::Chars;

/// Removes escape sequences and control characters but line feeds and tabs.
///
/// A server's name, a tool's answer or an issuer's error could otherwise move the cursor, rewrite
/// what was printed, set the clipboard or title, or show a link that leads elsewhere.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(one) = chars.next() {
        match one {
            '\u{1b}' => skip_escape(&mut chars),
            // The same introducers as single C1 characters.
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(one),
            _ if is_deceptive(one) => {}
            _ => out.push(one),
        }
    }
    out
}

/// [`clean`], on one line: a value can then not pretend to be a line of ours.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text)
        .split(['\n', '\t', '\u{2028}', '\u{2029}'])
        .collect::<Vec<_>>()
        .join(" ")
}

/// Escapes in JSON what serializers let through and some terminals obey. The value stays the same.
pub(crate) fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for one in json.chars() {
        if is_deceptive(one) {
            // All of them are in the basic plane, where one escape is enough.
            out.extend(["\\u", &format!("{:04x}", u32::from(one))]);
        } else {
            out.push(one);
        }
    }
    out
}

/// Controls, and the marks that reorder text on screen (Trojan Source, CVE-2021-42574).
fn is_deceptive(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// ECMA-48: what follows ESC decides how far the sequence goes.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        Some('[') => skip_control_sequence(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Intermediate characters, then one final character.
        Some(' '..='/') => while chars.next().is_some_and(|one| matches!(one, ' '..='/')) {},
        _ => {}
    }
}

fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while let Some(&one) = chars.peek() {
        // A control ends a broken sequence and is looked at by itself.
        if !matches!(one, ' '..='~') {
            return;
        }
        chars.next();
        if matches!(one, '@'..='~') {
            return;
        }
    }
}

/// Up to BEL, ST, or the end of the line: a sequence that is never closed hides only its line.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(&one) = chars.peek() {
        if one == '\n' {
            return;
        }
        chars.next();
        match one {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a198_removes_what_a_terminal_would_obey() {
        for (text, expected) in [
            ("plain text, ünïcode 漢字 🔑", "plain text, ünïcode 漢字 🔑"),
            ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}[2J\u{1b}[1;1Hb", "ab"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]52;c;ZXZpbA==\u{1b}\\x", "x"),
            (
                "\u{1b}]8;;https://evil.example\u{1b}\\bank\u{1b}]8;;\u{1b}\\",
                "bank",
            ),
            ("\u{1b}Pq#0;2;0;0;0\u{1b}\\x", "x"),
            ("\u{9b}31mred", "red"),
            ("\u{9d}0;title\u{9c}x", "x"),
            ("\u{1b}(0x", "x"),
            ("\u{1b}cx", "x"),
            ("over\rwrite", "overwrite"),
            ("back\u{8}\u{8}space\u{7}\u{0}\u{7f}", "backspace"),
            ("\u{1b}]0;never closed\nnext line", "\nnext line"),
            ("\u{1b}[31", ""),
            ("\u{1b}", ""),
            ("\u{1b}\u{1b}[31mx", "[31mx"),
            ("abc\u{202e}gpj.exe\u{2066}", "abcgpj.exe"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
            assert!(!clean(text).contains('\u{1b}'));
        }
    }

    #[test]
    fn a198_a_value_stays_on_its_line() {
        assert_eq!(
            clean_line("name\n✓ ok everything\r\n\u{2028}x"),
            "name ✓ ok everything  x"
        );
    }

    #[test]
    fn json_keeps_its_value_and_loses_its_controls() {
        let value = serde_json::json!({ "a": "\u{1b}\u{9b}31m\u{202e}\u{7f}é" });
        let text = escape_json(&value.to_string());
        assert!(text.chars().all(|one| !is_deceptive(one)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
