//! Reads the little that a scripted browser needs of an HTML page: its title and its first form.

/// A form, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it goes, as written.
    pub(super) action: String,
    /// Hidden fields.
    pub(super) fields: Vec<(String, String)>,
    /// Buttons with a name.
    pub(super) buttons: Vec<(String, String)>,
}

/// The page's title, or nothing.
pub(super) fn title(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("<title>")?;
    let (title, _) = rest.split_once("</title>")?;
    Some(unescape(title.trim()))
}

/// The page's first form that posts.
pub(super) fn form(html: &str) -> Option<Form> {
    let (_, rest) = html.split_once("<form")?;
    let (form, _) = rest.split_once("</form>")?;
    let (head, inside) = form.split_once('>')?;
    let posts = attribute(head, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
    if !posts {
        return None;
    }
    Some(Form {
        action: attribute(head, "action").unwrap_or_default(),
        fields: named(inside, "<input"),
        buttons: named(inside, "<button"),
    })
}

fn named(html: &str, element: &str) -> Vec<(String, String)> {
    html.split(element)
        .skip(1)
        .filter_map(|rest| {
            let (tag, _) = rest.split_once('>')?;
            let value = attribute(tag, "value").unwrap_or_default();
            Some((attribute(tag, "name")?, value))
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let opening = format!(" {name}=\"");
    let (_, rest) = tag.split_once(opening.as_str())?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_title_and_form() {
        let html = "<title> A &amp; B </title><form method=\"post\" action=\"/x?a=1&amp;b=2\">\
                    <input type=\"hidden\" name=\"flow\" value=\"f&quot;\">\
                    <button name=\"decision\" value=\"approve\" class=\"yes\">Approve</button>\
                    <button name=\"decision\" value=\"deny\">Deny</button></form>";
        assert_eq!(title(html).as_deref(), Some("A & B"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            form(html),
            Some(Form {
                action: "/x?a=1&b=2".to_owned(),
                fields: vec![pair("flow", "f\"")],
                buttons: vec![pair("decision", "approve"), pair("decision", "deny")],
            })
        );
    }

    #[test]
    fn a_page_without_a_posting_form_has_none() {
        assert_eq!(form("<p>done</p>"), None);
        assert_eq!(
            form("<form action=\"/search\"><input name=\"q\"></form>"),
            None
        );
    }
}
