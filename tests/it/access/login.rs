// SPDX-License-Identifier: Apache-2.0
//! Logging in: the cookie, the way back, what is refused, and how often.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn a_login_begins_a_new_session_each_time() {
    let server = start("");
    add(&server, "ada", "admin");
    let answer = try_login(&server, "ada", PASSWORD);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let set = answer.header("set-cookie").unwrap().to_owned();
    let secret = secret_of(&answer);
    assert_eq!(secret.len(), 64);
    assert_eq!(set, format!("muster_session={secret}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict"),);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // The cookie outlasts the session, whose end moves on with use; the server alone ends it.
    let session_secs = count(&server, "SELECT until_at - created_at FROM sessions");
    assert_eq!(session_secs, 43_200);
    // One that somebody put there before is not taken over, and an own one ends.
    let form = [("name", "ada"), ("password", PASSWORD)];
    let planted = send(&server, "/login", &cookie(&"a".repeat(64)), &form);
    assert!(secret_of(&planted) != "a".repeat(64) && !counts(&server, &"a".repeat(64)));
    let again = secret_of(&send(&server, "/login", &cookie(&secret), &form));
    assert!(again != secret && counts(&server, &again) && !counts(&server, &secret));
    let page = server.request("GET", "/records", &cookie(&again), b"").text();
    assert!(page.contains("href=\"/account\"") && page.contains("ada"), "{page}");
    let audit = "SELECT count(*) FROM audit WHERE action = 'session.login' AND actor = 'ada' AND origin = '127.0.0.1'";
    assert_eq!(count(&server, audit), 3);
    // Below a base path and over TLS.
    let config = "[http]\nbase_path = \"/muster\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let server = start(config);
    add(&server, "ada", "admin");
    let tls = [field("X-Forwarded-For", "192.0.2.7"), field("X-Forwarded-Proto", "https")];
    let answer = send(&server, "/muster/login", &tls, &form);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Secure-muster_session="), "{set}");
    assert!(set.contains("; Path=/muster; ") && set.ends_with("; Secure"), "{set}");
    let name = format!("__Secure-muster_session={}", secret_of(&answer));
    let mut fields = tls.to_vec();
    fields.push(field("Cookie", &name));
    assert_eq!(server.request("GET", "/muster/fleet", &fields, b"").status, 200);
    // Plain HTTP does not take the cookie of TLS.
    assert_eq!(server.request("GET", "/muster/fleet", &[field("Cookie", &name)], b"").status, 401);
}

#[test]
fn what_is_wrong_is_refused_alike() {
    let server = start("");
    add(&server, "ada", "admin");
    add(&server, "dis", "viewer");
    printed(&run(&server.data_dir, &["disable", "dis"]));
    printed(&run(&server.data_dir, &["add", "pro", "--no-password"]));
    let long = "x".repeat(1_025);
    let mut texts = Vec::new();
    for (name, password) in [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("dis", PASSWORD),
        ("pro", PASSWORD),
        ("pro", ""),
        ("", ""),
        ("ADA", PASSWORD),
        ("ada", long.as_str()),
        ("ada\0", PASSWORD),
        ("ada' OR 1=1 --", PASSWORD),
    ] {
        let answer = try_login(&server, name, password);
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{name:?}");
        read_document(&answer.text());
        assert!(answer.text().contains("The name or the password is wrong"), "{}", answer.text());
        assert!(!answer.text().contains(password) || password.is_empty());
        texts.push(answer.text());
    }
    // A name that is not there says no more than one that is, and takes as long.
    assert_eq!(texts[0].replace("ada", "nobody"), texts[1]);
    let time = |name: &str| {
        let start = Instant::now();
        try_login(&server, name, "wrong password");
        start.elapsed()
    };
    // In turn, so that whatever else runs slows down both.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        (known, unknown) = (known.min(time("ada")), unknown.min(time("nobody")));
    }
    assert!(unknown * 3 > known && known * 3 > unknown, "{known:?} {unknown:?}");
    let log = server.log();
    assert!(
        log.contains("A login as ada failed from 127.0.0.1") && log.contains("there is no such account"),
        "{log}"
    );
    assert!(!log.contains(PASSWORD) && !log.contains("wrong password"));
}

#[test]
fn one_is_led_back_only_to_this_server() {
    let server = start("");
    add(&server, "ada", "admin");
    for (next, expected) in [
        ("/records?severity=3", "/records?severity=3"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("javascript:alert(1)", "/"),
        ("/login?next=/login", "/"),
    ] {
        let form = [("name", "ada"), ("password", PASSWORD), ("next", next)];
        let answer = send(&server, "/login", &[], &form);
        assert_eq!((answer.status, answer.header("location")), (303, Some(expected)), "{next:?}");
        assert_eq!(
            answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).count(),
            1
        );
    }
    // The form asks once more for itself, in case the browser left the cookie out: then it leads on.
    let page = read_document(&server.get("/login?next=%2Ffleet").text());
    let refresh = page.iter().find(|e| e.attribute("http-equiv") == Some("refresh")).unwrap();
    let address = refresh.attribute("content").unwrap().strip_prefix("0;url=").unwrap().to_owned();
    assert!(address.starts_with('?'), "{address}");
    let again = server.get(&format!("/login{address}")).text();
    assert!(!again.contains("http-equiv"), "{again}");
    let next = read_document(&again)
        .iter()
        .find(|e| e.attribute("name") == Some("next"))
        .unwrap()
        .attribute("value")
        .map(str::to_owned);
    assert_eq!(next.as_deref(), Some("/fleet"));
    let secret = login(&server, "ada");
    let answer = server.request("GET", &format!("/login{address}"), &cookie(&secret), b"");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/fleet")));
    assert!(server.request("GET", "/login", &cookie(&secret), b"").text().contains("You are logged in as"));
}

#[test]
fn a_form_of_another_site_changes_nothing() {
    let server = start("");
    add(&server, "ada", "admin");
    add(&server, "vic", "viewer");
    let form = [("name", "ada"), ("password", PASSWORD)];
    for foreign in [
        field("Origin", "http://evil.example"),
        field("Origin", "null"),
        field("Origin", "http://localhost:1"),
        field("Sec-Fetch-Site", "cross-site"),
        field("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = send(&server, "/login", &[foreign], &form);
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    }
    assert_eq!(send(&server, "/login", &[field("Origin", "http://localhost")], &form).status, 303);
    let (ada, vic) = (login(&server, "ada"), login(&server, "vic"));
    let (own, other) = (csrf(&server, &ada), csrf(&server, &vic));
    let second = csrf(&server, &login(&server, "ada"));
    assert!(own != other && own != second);
    for token in ["", "x", other.as_str(), second.as_str()] {
        for path in ["/account/logout", "/accounts", "/logout", "/account/tokens", "/accounts/1/remove"] {
            let answer = send(&server, path, &cookie(&ada), &[("csrf_token", token)]);
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    let mut fields = cookie(&ada);
    fields.push(field("Origin", "http://evil.example"));
    assert_eq!(send(&server, "/account/logout", &fields, &[("csrf_token", &own)]).status, 403);
    assert!(counts(&server, &ada) && counts(&server, &vic));
    assert_eq!(send(&server, "/account/logout", &cookie(&ada), &[("csrf_token", &own)]).status, 303);
    assert!(!counts(&server, &ada) && counts(&server, &vic));
}

#[test]
fn the_forms_of_this_host_are_not_those_of_anybody() {
    let server = start("[access]\nwrite = \"open\"\n");
    let path = "/crashes/blacklist/preview?add=no_such_function_seen";
    let token = |fields: &[(String, String)]| {
        let page = server.request("GET", path, fields, b"").text();
        let elements = read_document(&page);
        let token = elements.iter().find(|e| e.attribute("name") == Some("csrf_token")).unwrap();
        token.attribute("value").unwrap().to_owned()
    };
    let elsewhere = token(&[field("X-Forwarded-For", "192.0.2.7")]);
    assert_ne!(token(&[]), elsewhere);
    let form =
        [("csrf_token", elsewhere.as_str()), ("name", "eve"), ("role", "admin"), ("password", PASSWORD)];
    assert_eq!(send(&server, "/accounts", &[], &form).status, 403);
}

#[test]
fn guesses_are_limited_by_account_and_by_address() {
    let config =
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nlogins_per_minute = 1\nlogins_burst = 3\n";
    let server = Server::start_with(Options { config: Some(config.to_owned()), ..Options::default() });
    add(&server, "ada", "admin");
    add(&server, "bob", "viewer");
    let from = |address: &str, name: &str, password: &str| {
        let form = [("name", name), ("password", password)];
        send(&server, "/login", &[field("X-Forwarded-For", address)], &form)
    };
    // One address runs dry, and its owner still gets in from elsewhere.
    let statuses: Vec<u16> = (0..40).map(|_| from("192.0.2.1", "ada", "wrong").status).collect();
    assert!(statuses[..3] == [403; 3] && statuses[3..].iter().all(|status| *status == 429), "{statuses:?}");
    let answer = from("192.0.2.1", "ada", PASSWORD);
    assert_eq!((answer.status, answer.header("set-cookie")), (429, None));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 30);
    read_document(&answer.text());
    assert_eq!(from("192.0.2.9", "ada", PASSWORD).status, 303);
    // Many addresses together: then not even the right password counts, from wherever.
    let statuses: Vec<u16> = (10..25).map(|n| from(&format!("192.0.2.{n}"), "ada", "wrong").status).collect();
    assert!(statuses[..12] == [403; 12] && statuses[14] == 429, "{statuses:?}");
    assert_eq!(from("192.0.2.9", "ada", PASSWORD).status, 429);
    assert_eq!(from("192.0.2.9", "bob", PASSWORD).status, 303);
    // An address that guesses at many accounts.
    for n in 0..3 {
        assert_eq!(from("198.51.100.1", &format!("x{n}"), "wrong").status, 403);
    }
    assert_eq!(from("198.51.100.1", "bob", PASSWORD).status, 429);
    assert_eq!(from("198.51.100.2", "bob", PASSWORD).status, 303);
}

#[test]
fn many_logins_at_once_take_little_memory_and_hold_nobody_up() {
    let server = start("");
    add(&server, "ada", "admin");
    let slowest = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..60)
            .map(|n| scope.spawn(move || n).join().unwrap())
            .map(|n| {
                let server = &server;
                scope.spawn(move || match n % 2 {
                    0 => try_login(server, "ada", "wrong password").status,
                    _ => try_login(server, &format!("nobody{n}"), "wrong password").status,
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        for event in 0..20 {
            let start = Instant::now();
            server.post_record(event, "x");
            slowest = slowest.max(start.elapsed());
        }
        let statuses: Vec<u16> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| matches!(status, 403 | 503)), "{statuses:?}");
        assert!(statuses.contains(&403));
        slowest
    });
    let (now, most) = server.memory_kib();
    assert!(most < 120 << 10, "{most} KiB at most");
    // What the hashes took is given back.
    assert!(now < most.max(60 << 10) && now < 70 << 10, "{now} KiB now, {most} at most");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}
