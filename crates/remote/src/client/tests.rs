use pollster::block_on;

use super::*;
use crate::http::TransportError;
use crate::scripted::{Scripted, answer};

fn get(http: &Arc<Scripted>, url: &str) -> Result<Vec<u8>, String> {
    block_on(http.client().get(&Url::parse(url).unwrap(), 100)).map_err(|error| error.to_string())
}

#[test]
fn the_token_follows_redirects_within_the_hub_and_not_beyond() {
    let http = Scripted::new(|_, request| match request.url.as_str() {
        "https://hub.x/a" => answer(307, &[("Location", "/b?c=d")], b""),
        "https://hub.x/b?c=d" => answer(302, &[("location", "https://cdn.y/e")], b""),
        "https://cdn.y/e" => answer(302, &[("location", "https://hub.x:444/f")], b""),
        _ => answer(200, &[], b"body"),
    });
    assert_eq!(get(&http, "https://hub.x/a").unwrap(), b"body");
    let asked = ["https://hub.x/a*", "https://hub.x/b?c=d*", "https://cdn.y/e", "https://hub.x:444/f"];
    assert_eq!(http.asked(), asked);
}

#[test]
fn a_redirect_to_what_is_not_encrypted_or_not_the_web_is_not_followed() {
    for (location, words) in [
        ("http://hub.x/a?secret", "http://hub.x/a, which is not encrypted any more"),
        ("file:///etc/passwd", "file:///etc/passwd, which is not a web address"),
        ("https://[::1?secret", "somewhere, which is not a URL"),
    ] {
        let http = Scripted::new(move |_, _| answer(302, &[("location", location)], b""));
        let message = get(&http, "https://hub.x/a").unwrap_err();
        assert!(message.contains(words) && !message.contains("secret"), "{message}");
        assert_eq!(http.asked().len(), 1);
    }
}

#[test]
fn a_circle_of_redirects_ends() {
    let http = Scripted::new(|_, _| answer(302, &[("location", "/a")], b""));
    assert!(get(&http, "https://hub.x/a").unwrap_err().contains("redirected more than 10 times"));
    assert_eq!(http.asked().len(), 11);
}

#[test]
fn pauses_grow_and_tries_end() {
    let http = Scripted::new(|_, _| Err(TransportError::Cut("eof".into())));
    let message = get(&http, "https://a.x/b").unwrap_err();
    assert!(message.ends_with("(eof) (tried 5 times)"), "{message}");
    assert_eq!(*http.pauses.lock().unwrap(), [250, 500, 1000, 2000].map(Duration::from_millis));
}

#[test]
fn a_server_that_names_a_pause_is_given_it_unless_it_is_too_long() {
    let wait = |seconds: &'static str| {
        let http = Scripted::new(move |count, _| match count {
            0 => answer(429, &[("Retry-After", seconds)], b""),
            _ => answer(200, &[], b"body"),
        });
        (get(&http, "https://a.x/b"), http.pauses.lock().unwrap().clone())
    };
    assert_eq!(wait("7"), (Ok(b"body".to_vec()), vec![Duration::from_millis(7_250)]));
    assert_eq!(wait("Fri, 31 Dec 2027 23:59:59 GMT"), (Ok(b"body".to_vec()), vec![Duration::from_millis(250)]));
    let (result, pauses) = wait("61");
    assert!(result.unwrap_err().contains("asks to wait for 61 s") && pauses.is_empty());
}

#[test]
fn what_no_other_try_would_mend_is_not_tried_again() {
    for status in [400, 401, 403, 404, 410, 416, 451, 501] {
        let http = Scripted::new(move |_, _| answer(status, &[], b""));
        assert!(get(&http, "https://a.x/b").unwrap_err().contains(&format!("answered {status}")));
        assert_eq!(http.asked().len(), 1);
    }
    let http = Scripted::new(|_, _| Err(TransportError::Impossible("no certificate".into())));
    assert_eq!(get(&http, "https://a.x/b").unwrap_err(), "https://a.x/b: no certificate");
}

#[test]
fn a_small_file_that_is_not_small_is_refused() {
    let http = Scripted::new(|_, _| answer(200, &[("Content-Length", "101")], b""));
    assert!(get(&http, "https://a.x/b").unwrap_err().contains("more than 100 bytes"));
    let http = Scripted::new(|_, _| Ok(Response { has_more: true, ..answer(200, &[], &[0; 100]).unwrap() }));
    assert!(get(&http, "https://a.x/b").unwrap_err().contains("more than 100 bytes"));
}

#[test]
fn the_hubs_refusals_are_told_apart() {
    let refused = |status, headers: &'static [(&str, &str)]| {
        let http = Scripted::new(move |_, _| answer(status, headers, b""));
        get(&http, "https://hub.x/api").unwrap_err()
    };
    for (status, headers, words) in [
        (404, &[("X-Error-Code", "RevisionNotFound")][..], "no such revision"),
        (404, &[("X-Error-Code", "EntryNotFound")], "no such file at this revision"),
        (404, &[("X-Error-Code", "RepoNotFound")], "your token may not see it"),
        (403, &[("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Ask\u{1b}[2J nicely")], "(it says: Ask[2J nicely)"),
        (401, &[("X-Error-Code", "Unauthorized")], "not accepted; to use another, say the word"),
        (403, &[], "may not read this"),
    ] {
        let message = refused(status, headers);
        assert!(message.contains(words), "{message}");
    }
}
