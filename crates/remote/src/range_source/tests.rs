use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use pollster::block_on;

use super::*;
use crate::http::TransportError;
use crate::scripted::{Scripted, answer, part};

/// A file that is longer than what is read of it when it is opened.
fn file() -> Vec<u8> {
    (0..100_000_u32).map(|index| (index % 251) as u8).collect()
}

fn open(http: &Arc<Scripted>, url: &str) -> Result<RangeSource, String> {
    let url = Url::parse(url).unwrap();
    block_on(RangeSource::open_url(&http.client(), url)).map_err(|error| error.to_string())
}

fn message(result: Result<Block, ReadError>) -> String {
    let error = result.err().expect("this cannot be read");
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn what_came_when_it_was_opened_is_not_asked_for_again() {
    let http = Scripted::new(|_, request| part(request, &file(), "1"));
    let source = open(&http, "https://a.x/b.safetensors?secret").unwrap();
    assert_eq!((source.name(), source.length()), ("https://a.x/b.safetensors", 100_000));
    assert_eq!(&*block_on(source.read(10..20)).unwrap().bytes(), &file()[10..20]);
    assert_eq!(block_on(source.read(100_000..100_000)).unwrap().length(), 0);
    assert_eq!(http.ranges(), ["bytes=0-65535"]);
    assert_eq!(&*block_on(source.read(65_000..70_000)).unwrap().bytes(), &file()[65_000..70_000]);
    assert_eq!(http.ranges(), ["bytes=0-65535", "bytes=65000-69999"]);
    assert!(message(block_on(source.read(99_999..100_001))).contains("100000 are left"));
}

#[test]
fn files_of_few_bytes_or_none_can_be_opened() {
    let http = Scripted::new(|_, request| part(request, b"abc", "1"));
    let source = open(&http, "https://a.x/b").unwrap();
    assert_eq!((source.length(), &*block_on(source.read(0..3)).unwrap().bytes()), (3, &b"abc"[..]));
    let http = Scripted::new(|_, _| answer(416, &[("Content-Range", "bytes */0")], b""));
    assert_eq!(open(&http, "https://a.x/b").unwrap().length(), 0);
}

#[test]
fn a_change_shows_by_etag_by_date_and_by_length() {
    let changed = |first: &'static [(&str, &str)], then: &'static [(&str, &str)]| {
        let http = Scripted::new(move |count, _| match count {
            0 => answer(206, &[first, &[("Content-Range", "bytes 0-65535/100000")]].concat(), &[0; 65_536]),
            _ => answer(206, then, &[0; 10]),
        });
        let source = open(&http, "https://a.x/b").unwrap();
        let result = block_on(source.read(70_000..70_010));
        result.map_err(|error| matches!(error, ReadError::Changed { .. }).then(|| error.to_string()).unwrap())
    };
    const RANGE: (&str, &str) = ("Content-Range", "bytes 70000-70009/100000");
    assert!(changed(&[("ETag", "1")], &[("ETag", "1"), RANGE]).is_ok());
    assert!(changed(&[], &[RANGE]).is_ok());
    let etag = changed(&[("ETag", "1")], &[("ETag", "2"), RANGE]).err().unwrap();
    assert!(etag.contains("gave ETag 1, and gives ETag 2 now"), "{etag}");
    assert!(changed(&[("ETag", "1")], &[RANGE]).is_err());
    assert!(changed(&[("Last-Modified", "Mon")], &[("Last-Modified", "Tue"), RANGE]).is_err());
    let length = changed(&[], &[("Content-Range", "bytes 70000-70009/100001")]).err().unwrap();
    assert!(length.contains("had 100000 bytes, and has 100001 now"), "{length}");
}

#[test]
fn only_a_file_that_shows_changes_says_so() {
    let http = Scripted::new(|_, request| part(request, b"abc", "1"));
    assert!(open(&http, "https://a.x/b").unwrap().shows_changes());
    let http = Scripted::new(|_, _| answer(206, &[("Content-Range", "bytes 0-2/3")], b"abc"));
    assert!(!open(&http, "https://a.x/b").unwrap().shows_changes());
}

#[test]
fn an_answer_that_is_not_what_was_asked_is_refused() {
    let refused = |status, content_range: Option<&'static str>, length| {
        let http = Scripted::new(move |count, request| {
            let header = content_range.map(|value| ("Content-Range", value));
            if count == 0 { part(request, &file(), "1") } else { answer(status, header.as_slice(), &vec![0; length]) }
        });
        let source = open(&http, "https://a.x/b").unwrap();
        message(block_on(source.read(70_000..70_010)))
    };
    assert!(refused(200, None, 10).contains("ignores ranges: it answered 200"));
    assert!(refused(206, None, 10).contains("Content-Range header was expected"));
    let other = refused(206, Some("bytes 70001-70010/100000"), 10);
    assert!(
        other.contains("bytes 70000-70009 were asked for") && other.contains("`bytes 70001-70010/100000`"),
        "{other}"
    );
    assert!(refused(206, Some("nonsense\n"), 10).contains("`nonsense`"));
    assert!(refused(206, Some("bytes 70000-70009/100000"), 11).contains("more than the 10 bytes"));
    assert!(refused(206, Some("bytes 70000-70009/100000"), 9).contains("10 bytes, but has 9"));
}

#[test]
fn a_body_that_is_cut_short_is_asked_for_again() {
    let http = Scripted::new(|count, request| match count {
        1 => Err(TransportError::Cut("eof".into())),
        2 => answer(206, &[("Content-Range", "bytes 70000-70009/100000"), ("ETag", "1")], &[0; 4]),
        _ => part(request, &file(), "1"),
    });
    let source = open(&http, "https://a.x/b").unwrap();
    assert_eq!(&*block_on(source.read(70_000..70_010)).unwrap().bytes(), &file()[70_000..70_010]);
    assert_eq!(http.ranges().len(), 4);
}

/// The Hub, which sends each file to a new signed URL, and a CDN that calls it something else at each.
fn hub_and_cdn(
    hash: impl Fn(usize) -> &'static str + Send + Sync + 'static,
    is_expired: impl Fn(usize, &str) -> bool + Send + Sync + 'static,
) -> Arc<Scripted> {
    let signed = AtomicUsize::new(0);
    Scripted::new(move |count, request| {
        if request.url.host_str() == Some("hub.x") {
            let number = signed.fetch_add(1, Ordering::Relaxed);
            let location = format!("https://cdn.y/f?signature={number}");
            answer(302, &[("Location", &location), ("X-Linked-Etag", hash(number))], b"")
        } else if is_expired(count, request.url.as_str()) {
            answer(403, &[], b"expired")
        } else {
            part(request, &file(), request.url.query().unwrap())
        }
    })
}

#[test]
fn reads_go_where_the_file_is_and_back_to_the_hub_when_that_expires() {
    let http = hub_and_cdn(|_| "hash", |count, url| count >= 3 && url.ends_with("=0"));
    let source = open(&http, "https://hub.x/f").unwrap();
    for start in [70_000, 80_000, 90_000] {
        block_on(source.read(start..start + 10)).unwrap();
    }
    let cdn = |number| format!("https://cdn.y/f?signature={number}");
    let hub = "https://hub.x/f*".to_owned();
    assert_eq!(http.asked(), [hub.clone(), cdn(0), cdn(0), cdn(0), hub, cdn(1), cdn(1)]);
}

#[test]
fn a_place_that_cannot_be_reached_any_more_is_left_for_where_the_hub_sends_next() {
    let http = Scripted::new(|count, request| match (request.url.as_str(), count) {
        ("https://hub.x/f", 0) => answer(302, &[("Location", "https://down.y/f"), ("X-Linked-Etag", "hash")], b""),
        ("https://hub.x/f", _) => answer(302, &[("Location", "https://up.y/f"), ("X-Linked-Etag", "hash")], b""),
        ("https://down.y/f", 2..) => Err(TransportError::Unreachable("gone".into())),
        _ => part(request, &file(), "1"),
    });
    let source = open(&http, "https://hub.x/f").unwrap();
    block_on(source.read(70_000..70_010)).unwrap();
    let asked = ["https://hub.x/f*", "https://down.y/f", "https://down.y/f", "https://hub.x/f*", "https://up.y/f"];
    assert_eq!(http.asked(), asked);
}

#[test]
fn a_file_that_the_hub_calls_otherwise_has_changed() {
    let http = hub_and_cdn(|number| if number == 0 { "old" } else { "new" }, |_, _| false);
    let source = open(&http, "https://hub.x/f").unwrap();
    *source.route() = None;
    let error = block_on(source.read(70_000..70_010)).err().unwrap();
    assert!(
        matches!(&error, ReadError::Changed { what, .. } if what.contains("old") && what.contains("new")),
        "{error}"
    );
}

#[test]
fn a_cdn_that_refuses_for_good_is_named() {
    let http = hub_and_cdn(|_| "hash", |count, _| count >= 2);
    let source = open(&http, "https://hub.x/f").unwrap();
    let message = message(block_on(source.read(70_000..70_010)));
    assert!(message.contains("at cdn.y, where it was redirected to: the server answered 403"), "{message}");
}
