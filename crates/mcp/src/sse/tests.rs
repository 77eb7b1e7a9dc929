//! Framing of events.

use proptest::prelude::*;

use super::*;

fn all(pieces: &[&[u8]]) -> Vec<SseEvent> {
    let mut parser = SseParser::new(1 << 16);
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut events).unwrap();
    }
    events
}

fn data(events: &[SseEvent]) -> Vec<&str> {
    events.iter().map(|event| event.data.as_str()).collect()
}

#[test]
fn reads_all_three_line_endings() {
    for text in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\r\rdata: b\r\r",
    ] {
        assert_eq!(data(&all(&[text.as_bytes()])), ["a", "b"], "{text:?}");
    }
}

#[test]
fn joins_lines_and_skips_comments_and_unknown_fields() {
    let text =
        ": keep-alive\n\nevent: message\nid: 7\ndata:{\ndata: }\nfoo: bar\nretry: 30\n\ndata\n\n";
    let events = all(&[text.as_bytes()]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].data, "{\n}");
    assert_eq!(events[0].event, "message");
    assert_eq!(events[0].id.as_deref(), Some("7"));
    assert_eq!(events[1].data, "");
}

#[test]
fn an_event_that_was_not_ended_is_no_event() {
    assert!(all(&[b"data: a\n"]).is_empty());
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped() {
    assert_eq!(data(&all(&["\u{feff}data: a\n\n".as_bytes()])), ["a"]);
}

#[test]
fn an_endless_event_is_refused() {
    let mut parser = SseParser::new(64);
    let mut events = Vec::new();
    let flood = (0..100).find_map(|_| parser.push(b"data: 123456\n", &mut events).err());
    assert_eq!(flood, Some(SseTooLarge { limit: 64 }));
    let mut parser = SseParser::new(64);
    assert!(parser.push(&[b'x'; 65], &mut events).is_err());
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        text in "(data: [a-zé]{0,4}(\r\n|\n|\r)|(\r\n|\n|\r)|id: [0-9](\n|\r)|:x\n){0,12}",
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = text.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.push(0);
        at.push(bytes.len());
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(all(&pieces), all(&[bytes]));
    }
}
