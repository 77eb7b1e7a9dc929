//! What a PostgreSQL URL must say before anybody connects with it.

use url::Url;

/// What is wrong with a URL, and what is accepted. It holds a password: nothing of it is printed.
pub(crate) type Wrong = (&'static str, &'static str);

/// Refuses a URL that leaves open whom it speaks to, or speaks to them where others listen.
pub(crate) fn check(text: &str) -> Result<(), Wrong> {
    // What the parser says could quote the URL.
    let Ok(url) = Url::parse(text) else {
        return Err(("found no URL", FORM));
    };
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(("found a URL of another scheme", FORM));
    }
    let mut seen: Vec<String> = Vec::new();
    let (mut socket, mut sslmode) = (None, None);
    for (name, value) in url.query_pairs() {
        // `hostaddr`, `user` or a second `sslmode` would say something else than what was checked.
        if !PARAMETERS.contains(&&*name) || seen.iter().any(|earlier| *earlier == name) {
            return Err((
                "found a parameter that is not accepted, or one twice",
                TAKEN,
            ));
        }
        match &*name {
            "host" => socket = Some(value.into_owned()),
            "sslmode" => sslmode = Some(value.into_owned()),
            _ => {}
        }
        seen.push(name.into_owned());
    }
    // What the URL leaves out would come from variables of the environment, or from the account.
    if url.username().is_empty() {
        return Err(("found a URL without a user", FORM));
    }
    if url.path().trim_start_matches('/').is_empty() {
        return Err(("found a URL without a database", FORM));
    }
    if let Some(socket) = socket {
        let is_folder = socket.starts_with('/');
        return is_folder
            .then_some(())
            .ok_or(("found a `host` that is no folder", FORM));
    }
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err(("found a URL without a host", FORM));
    }
    let is_socket = host
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
    if is_socket || is_loopback(host) || sslmode.as_deref() == Some("verify-full") {
        return Ok(());
    }
    Err((
        "found a database on another machine without `sslmode=verify-full`",
        "anybody on the way could answer in its place and take every row: add \
         ?sslmode=verify-full, and &sslrootcert=FILE for an authority of your own",
    ))
}

/// The database without user, password and parameters, for people.
pub(crate) fn shown(text: &str) -> String {
    let Ok(url) = Url::parse(text) else {
        return "PostgreSQL".to_owned();
    };
    let socket = url.query_pairs().find(|(name, _)| name == "host");
    let host = match (socket, url.port()) {
        (Some((_, folder)), _) => folder.into_owned(),
        (None, Some(port)) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        (None, None) => url.host_str().unwrap_or_default().to_owned(),
    };
    let database = url.path().trim_start_matches('/');
    format!("PostgreSQL, database {database} at {host}")
}

/// Nobody is on the way there.
fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || literal
            .parse::<core::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

const FORM: &str = "accepted is postgres://user:password@host/database?sslmode=verify-full, or \
                    ?host=/folder of a socket on this machine";
const TAKEN: &str = "accepted are sslmode, sslrootcert, sslcert, sslkey and host, each once";
const PARAMETERS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_names_user_host_and_database() {
        for url in [
            "postgres://app@localhost/claviger",
            "postgresql://app:secret@127.0.0.1:5433/claviger",
            "postgres://app@[::1]/claviger?sslmode=disable",
            "postgres://app@localhost:54320/claviger?host=/run/postgresql",
            "postgres://app@%2Frun%2Fpostgresql/claviger",
            "postgres://app@db.example/claviger?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn refuses_what_leaves_something_open() {
        for (url, found) in [
            ("claviger", "no URL"),
            ("mysql://app@localhost/claviger", "another scheme"),
            ("postgres://localhost/claviger", "without a user"),
            ("postgres://app@localhost", "without a database"),
            ("postgres://app@localhost/", "without a database"),
            ("postgres:///claviger", "without a user"),
            (
                "postgres://app@localhost/claviger?host=db.example",
                "no folder",
            ),
            (
                "postgres://app@localhost/claviger?hostaddr=192.0.2.1",
                "parameter",
            ),
            (
                "postgres://app@localhost/claviger?ssl-mode=disable",
                "parameter",
            ),
        ] {
            let refused = check(url).unwrap_err();
            assert!(refused.0.contains(found), "{url}: {refused:?}");
        }
    }

    #[test]
    fn refuses_a_network_where_others_could_answer() {
        for host in [
            "db.example",
            "192.0.2.1",
            "[2001:db8::1]",
            "localhost.example",
            "0.0.0.0",
        ] {
            for mode in [
                "",
                "?sslmode=disable",
                "?sslmode=prefer",
                "?sslmode=require",
                "?sslmode=verify-ca",
            ] {
                let url = format!("postgres://app:hunter2@{host}/claviger{mode}");
                let refused = check(&url).unwrap_err();
                assert!(refused.0.contains("another machine"), "{url}: {refused:?}");
            }
        }
        let twice = "postgres://a@db.example/c?sslmode=verify-full&sslmode=disable";
        check(twice).unwrap_err();
    }

    #[test]
    fn shows_no_password() {
        let url = "postgres://app:hunter2@db.example:5433/claviger?sslmode=verify-full";
        assert_eq!(
            shown(url),
            "PostgreSQL, database claviger at db.example:5433"
        );
    }
}
