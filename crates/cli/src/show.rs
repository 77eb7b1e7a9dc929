//! How views look to a person.

use claviger_admin_api::{
    ConnectionView, RevocationView, ServerView, StepStatus, StepView, TenantView,
};

use crate::printer::{Printer, Text};

/// A step: mark, word, stage, what was asked, what came of it, how long it took; then its rule and
/// hint on lines of their own.
pub(crate) fn step(step: &StepView) -> Vec<Text> {
    let stage = format!("{:<18} ", step.stage);
    let line = match step.status {
        StepStatus::Ok => Text::new().good("✓ ok      "),
        StepStatus::Nothing => Text::new().dim("· nothing "),
        StepStatus::Warned => Text::new().warn("! warning "),
        StepStatus::Failed => Text::new().bad("✗ failed  "),
    };
    let line = line.plain(stage);
    let line = match step.what.as_str() {
        "" => line,
        what => line.plain(what).plain(": "),
    };
    let line = line.plain(&step.outcome);
    let line = match step.took_ms {
        Some(ms) => line.dim(format!(" ({ms} ms)")),
        None => line,
    };
    let mut lines = vec![line];
    let notes: Vec<&str> = step
        .rule
        .iter()
        .chain(&step.deviations)
        .map(String::as_str)
        .collect();
    // A step that went as it should needs no rule quoted.
    if !notes.is_empty() && step.status != StepStatus::Ok || !step.deviations.is_empty() {
        lines.push(Text::line(INDENT).dim(notes.join(", ")));
    }
    if let Some(hint) = &step.hint {
        lines.push(Text::line(INDENT).bold("hint:").plain(" ").plain(hint));
    }
    lines
}

/// A server and everything that is known about it.
pub(crate) fn server(view: &ServerView) -> Vec<Text> {
    let sign_in = match view.sign_in.as_str() {
        "yes" => "needed",
        "no" => "not needed",
        other => other,
    };
    let auth = match &view.grant {
        Some(grant) => format!("{}, {grant}", view.auth),
        None => view.auth.clone(),
    };
    let mut rows = vec![("url", view.url.clone())];
    if view.display_name != view.slug {
        rows.push(("name", view.display_name.clone()));
    }
    rows.extend([("sign-in", sign_in.to_owned()), ("auth", auth)]);
    rows.extend(view.issuer.clone().map(|issuer| ("issuer", issuer)));
    let listed = [
        ("registration", &view.registration),
        ("scopes", &view.scopes),
    ];
    for (name, values) in listed {
        if !values.is_empty() {
            rows.push((name, values.join(" ")));
        }
    }
    if view.has_client_secret {
        rows.push(("secret", "stored, sealed".to_owned()));
    }
    if !view.enabled {
        let off = "off: nothing is forwarded, nobody signs in";
        rows.push(("enabled", off.to_owned()));
    }
    if view.allow_private {
        let allowed = "private addresses allowed for this server's host";
        rows.push(("network", allowed.to_owned()));
    }
    rows.extend(view.gateway_url.clone().map(|url| ("for clients", url)));
    let mut lines = vec![Text::new().bold(&view.slug)];
    lines.extend(
        rows.into_iter()
            .map(|(name, value)| Text::new().dim(format!("  {name:<13} ")).plain(value)),
    );
    lines
}

/// How a user stands with servers, one row each.
pub(crate) fn connections(printer: &Printer, views: &[ConnectionView]) {
    let mut rows = vec![
        ["SERVER", "STANDING", "ENDS", "REASON"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(views.iter().map(|view| {
        let ends = match (view.expires_in_s, view.is_refreshable) {
            (None, _) => "-".to_owned(),
            (Some(seconds), false) => span(seconds),
            (Some(seconds @ ..=0), true) => format!("{}, refreshed on use", span(seconds)),
            (Some(seconds), true) => format!("{}, then refreshed", span(seconds)),
        };
        let reason = view.reason.clone().unwrap_or_else(|| "-".to_owned());
        vec![view.server.clone(), view.standing.clone(), ends, reason]
    }));
    table(printer, &rows);
    for view in views {
        if let Some(hint) = &view.hint {
            printer.hint(&format!("{}: {hint}", view.server));
        }
    }
}

/// What is owed to issuers, one row each.
pub(crate) fn revocations(printer: &Printer, views: &[RevocationView]) {
    let mut rows = vec![
        ["SERVER", "USER", "ISSUER", "TRIES", "NEXT", "LAST FAILURE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(views.iter().map(|view| {
        vec![
            view.server.clone(),
            view.user.clone(),
            view.issuer.clone(),
            view.attempts.to_string(),
            span(view.next_in_s),
            view.last_failure.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    table(printer, &rows);
}

/// Tenants and how much they have, one row each.
pub(crate) fn tenants(printer: &Printer, views: &[TenantView]) {
    let mut rows = vec![
        ["TENANT", "SERVERS", "CONNECTIONS", "API TOKENS", "OWED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(views.iter().map(|view| {
        let counts = [
            view.servers,
            view.connections,
            view.api_tokens,
            view.pending_revocations,
        ];
        let counts = counts.iter().map(ToString::to_string);
        core::iter::once(view.tenant.clone())
            .chain(counts)
            .collect()
    }));
    table(printer, &rows);
}

/// All that a tenant has, in a line.
pub(crate) fn belongings(view: &TenantView) -> String {
    let counts = [
        (view.servers, "server"),
        (view.connections, "connection"),
        (view.api_tokens, "API token"),
        (view.pending_revocations, "pending revocation"),
    ];
    counts
        .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        .join(", ")
}

/// Rows with columns of equal width; the first row is the head.
pub(crate) fn table(printer: &Printer, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    for (number, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        printer.out(&if number == 0 {
            Text::new().dim(line)
        } else {
            Text::line(line)
        });
    }
}

/// Seconds in the unit a person would use.
pub(crate) fn span(seconds: i64) -> String {
    let (before, after) = if seconds < 0 {
        ("", " ago")
    } else {
        ("in ", "")
    };
    let seconds = seconds.unsigned_abs();
    let text = match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("{before}{text}{after}")
}

const INDENT: &str = "            ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_in_the_unit_a_person_would_use() {
        for (seconds, expected) in [
            (0, "in 0 s"),
            (119, "in 119 s"),
            (120, "in 2 min"),
            (7200, "in 2 h"),
            (172_800, "in 2 days"),
            (-90, "90 s ago"),
            (i64::MIN, "106751991167300 days ago"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
