// SPDX-License-Identifier: Apache-2.0
//! The pages /account and /accounts, and logging in by a proxy.

use super::*;

fn page(server: &Server, path: &str, secret: &str) -> String {
    let answer = server.request("GET", path, &cookie(secret), b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    read_document(&answer.text());
    answer.text()
}

/// The text of the element with this id.
fn text_of(answer: &Answer, id: &str) -> String {
    let elements = read_document(&answer.text());
    let element = elements.iter().find(|e| e.attribute("id") == Some(id));
    element.unwrap_or_else(|| panic!("no {id}: {}", answer.text())).text.clone()
}

#[test]
fn an_admin_makes_accounts() {
    let server = start("");
    add(&server, "ada", "admin");
    let ada = login(&server, "ada");
    let post = |path: &str, form: &[(&str, &str)]| send_own(&server, path, &ada, form);
    let answer = post("/accounts", &[("name", "bob"), ("role", "viewer")]);
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let made = text_of(&answer, "made_up");
    let bob = secret_of(&try_login(&server, "bob", &made));
    assert!(page(&server, "/records", &ada).contains("href=\"/accounts\""));
    assert!(!page(&server, "/records", &bob).contains("href=\"/accounts\""));
    for (name, password, says) in [
        ("bob", PASSWORD, "There is an account bob already"),
        ("BOB", PASSWORD, "There is an account bob already"),
        ("a\u{1b}[31m", PASSWORD, "letters a-z"),
        ("<b>", PASSWORD, "letters a-z"),
        ("zoe", "short", "at least 10 characters"),
        ("zoe-the-viewer", "zoe-the-viewer", "must not be the name"),
    ] {
        let answer = post("/accounts", &[("name", name), ("role", "viewer"), ("password", password)]);
        assert_eq!(answer.status, 400, "{name}");
        read_document(&answer.text());
        assert!(answer.text().contains(says) && !answer.text().contains(PASSWORD), "{}", answer.text());
    }
}

#[test]
fn the_last_admin_stays() {
    let server = start("");
    add(&server, "ada", "admin");
    let ada = login(&server, "ada");
    let post = |path: &str, form: &[(&str, &str)]| send_own(&server, path, &ada, form);
    for (path, form) in
        [("role", ("role", "viewer")), ("status", ("status", "disabled")), ("remove", ("x", ""))]
    {
        let answer = post(&format!("/accounts/1/{path}"), &[form]);
        assert_eq!(answer.status, 409, "{path}");
        assert!(answer.text().contains("There must be an active admin"), "{}", answer.text());
    }
    assert!(counts(&server, &ada), "what was refused ended nothing");
}

#[test]
fn what_is_done_to_an_account_ends_its_logins() {
    let server = start("");
    add(&server, "ada", "admin");
    let ada = login(&server, "ada");
    let post = |path: &str, form: &[(&str, &str)]| send_own(&server, path, &ada, form);
    let made = text_of(&post("/accounts", &[("name", "bob"), ("role", "viewer")]), "made_up");
    let bob = secret_of(&try_login(&server, "bob", &made));
    let done = |answer: Answer| answer.header("location").map(str::to_owned);
    assert_eq!(
        done(post("/accounts/2/role", &[("role", "operator")])).as_deref(),
        Some("/accounts/2?done=role")
    );
    assert!(!counts(&server, &bob));
    let bob = secret_of(&try_login(&server, "bob", &made));
    assert!(page(&server, "/accounts", &ada).contains("operator"));
    assert_eq!(done(post("/accounts/2/logout", &[])).as_deref(), Some("/accounts/2?done=logout"));
    assert!(!counts(&server, &bob));
    let again = text_of(&post("/accounts/2/password", &[]), "made_up");
    assert_eq!(
        (try_login(&server, "bob", &made).status, try_login(&server, "bob", &again).status),
        (403, 303)
    );
    let key = token(&server, "bob", "read");
    assert!(page(&server, "/accounts/2", &ada).contains("a test"));
    assert_eq!(post("/accounts/2/revoke", &[("token_id", "1")]).status, 303);
    assert_eq!(server.request("GET", "/fleet", &bearer(&key), b"").status, 401);
    assert_eq!(post("/accounts/2/status", &[("status", "disabled")]).status, 303);
    assert_eq!(try_login(&server, "bob", &again).status, 403);
    assert_eq!(post("/accounts/2/status", &[("status", "active")]).status, 303);
    assert_eq!(try_login(&server, "bob", &again).status, 303);
    assert_eq!(done(post("/accounts/2/remove", &[])).as_deref(), Some("/accounts?done=removed"));
    assert_eq!(post("/accounts/2/remove", &[]).status, 404);
    let secrets =
        "SELECT count(*) FROM audit WHERE coalesce(before, '') || coalesce(after, '') LIKE '%argon2%'";
    assert_eq!(count(&server, secrets), 0);
    assert_eq!(
        count(&server, "SELECT count(*) FROM audit WHERE action = 'account.remove' AND actor = 'ada'"),
        1
    );
}

#[test]
fn everybody_manages_the_own_account() {
    let server = start("");
    add(&server, "ada", "admin");
    add(&server, "vic", "viewer");
    let (vic, other) = (login(&server, "vic"), login(&server, "vic"));
    let new = "another long password";
    let change = |present: &str, password: &str, again: &str| {
        let form = [("present", present), ("password", password), ("again", again)];
        send_own(&server, "/account/password", &vic, &form)
    };
    for (present, password, again, says) in [
        ("wrong", new, new, "The present password is wrong"),
        (PASSWORD, new, "other", "are not the same"),
        (PASSWORD, "short", "short", "at least 10 characters"),
    ] {
        let answer = change(present, password, again);
        assert!(answer.status == 400 && answer.text().contains(says), "{}", answer.text());
    }
    assert!(counts(&server, &other));
    let answer = change(PASSWORD, new, new);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/account?done=password")));
    let fresh = secret_of(&answer);
    assert!(counts(&server, &fresh) && !counts(&server, &vic) && !counts(&server, &other));
    // API tokens of one's own: shown once, and no way to more.
    let form = [("for", "export"), ("scope", "admin"), ("days", "7")];
    let answer = send_own(&server, "/account/tokens", &fresh, &form);
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let key = text_of(&answer, "api_token");
    let get = |path: &str| server.request("GET", path, &bearer(&key), b"").status;
    assert_eq!((get("/fleet"), get("/accounts"), get("/account")), (200, 403, 403));
    for path in ["/account/tokens", "/account/password", "/account/logout"] {
        let answer = send(&server, path, &bearer(&key), &form);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("An API token cannot do this"), "{}", answer.text());
    }
    for form in
        [[("for", ""), ("scope", "read"), ("days", "7")], [("for", "x"), ("scope", "read"), ("days", "0")]]
    {
        assert_eq!(send_own(&server, "/account/tokens", &fresh, &form).status, 400);
    }
    let ada = login(&server, "ada");
    assert_eq!(send_own(&server, "/account/revoke", &ada, &[("token_id", "1")]).status, 404, "not hers");
    assert_eq!(send_own(&server, "/account/revoke", &fresh, &[("token_id", "1")]).status, 303);
    assert_eq!(get("/fleet"), 401);
    assert_eq!(send_own(&server, "/account/logout", &fresh, &[]).status, 303);
    assert!(!counts(&server, &fresh));
}

#[test]
fn the_first_account_of_this_host_is_an_admin_and_shuts_the_door() {
    let server = start("");
    let token = crate::crashes::token(&server);
    let post = |form: &[(&str, &str)]| {
        let form: Vec<_> = [("csrf_token", token.as_str())].iter().chain(form).copied().collect();
        send(&server, "/accounts", &[], &form)
    };
    let answer = post(&[("name", "vic"), ("role", "viewer"), ("password", PASSWORD)]);
    assert!(
        answer.status == 400 && answer.text().contains("There must be an active admin"),
        "{}",
        answer.text()
    );
    assert_eq!(count(&server, "SELECT count(*) FROM accounts"), 0);
    let answer = post(&[("name", "ada"), ("role", "admin"), ("password", PASSWORD)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    // From here on being on this host is worth nothing.
    assert_eq!(post(&[("name", "eve"), ("role", "admin"), ("password", PASSWORD)]).status, 401);
    assert!(counts(&server, &login(&server, "ada")));
}

#[test]
fn a_named_proxy_logs_in_and_nobody_else() {
    let config = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[access]\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"127.0.0.1\"]\n";
    let server = start(config);
    printed(&run(&server.data_dir, &["add", "ada", "--no-password"]));
    printed(&run(&server.data_dir, &["add", "dis", "--no-password"]));
    printed(&run(&server.data_dir, &["disable", "dis"]));
    let by = |name: &str| vec![field("X-Forwarded-For", "192.0.2.7"), field("X-Remote-User", name)];
    let get = |fields: &[(String, String)]| server.request("GET", "/accounts", fields, b"").status;
    assert_eq!((get(&by("ada")), get(&by("nobody")), get(&by("dis")), get(&by(""))), (200, 403, 403, 400));
    let mut twice = by("ada");
    twice.push(field("x-remote-user", "ada"));
    assert_eq!(get(&twice), 400);
    assert!(server.request("GET", "/login", &by("ada"), b"").text().contains("You are logged in as"));
    let page = server.request("GET", "/account", &by("ada"), b"");
    assert!(page.text().contains("by a proxy"), "{}", page.text());
    // Its forms have tokens of the account, not of whoever else has no cookie.
    let token = |name: &str| {
        let page = server.request("GET", "/account", &by(name), b"").text();
        let elements = read_document(&page);
        let token = elements.iter().find(|e| e.attribute("name") == Some("csrf_token")).unwrap();
        token.attribute("value").unwrap().to_owned()
    };
    printed(&run(&server.data_dir, &["add", "vic", "--no-password"]));
    assert_ne!(token("ada"), token("vic"));
    assert_eq!(send(&server, "/account/tokens", &by("ada"), &[("csrf_token", &token("vic"))]).status, 403);
    assert_eq!(try_login(&server, "ada", "").status, 403);
    let elsewhere = start("[access]\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"192.0.2.1\"]\n");
    printed(&run(&elsewhere.data_dir, &["add", "ada", "--no-password"]));
    assert_eq!(elsewhere.request("GET", "/accounts", &by("ada"), b"").status, 401);
}

#[test]
fn a_viewer_is_offered_nothing_that_is_refused() {
    let file = crate::support::fleet::FleetFile::new(20);
    printed(&run(&file.data_dir(), &["add", "vic", "--role", "viewer"]));
    let server = file.serve();
    let vic = login(&server, "vic");
    let mut pages = crate::support::fleet::pages(&file);
    pages.extend(
        ["/acl", "/investigators", "/investigators/1", "/records", "/records/1", "/crashes"]
            .map(str::to_owned),
    );
    for path in pages {
        let answer = server.request("GET", &path, &cookie(&vic), b"");
        assert!(matches!(answer.status, 200 | 400), "{path}: {}", answer.status);
        for element in read_document(&answer.text()) {
            assert_ne!(element.attribute("method"), Some("post"), "{path}");
            assert!(
                !element.attribute("href").is_some_and(|href| href.starts_with("/actions/new")),
                "{path}"
            );
        }
    }
}

#[test]
fn what_changes_nothing_leaves_no_trace() {
    let mut server = start("");
    add(&server, "ada", "admin");
    add(&server, "bob", "operator");
    printed(&run(&server.data_dir, &["add", "pat", "--no-password"]));
    let ada = login(&server, "ada");
    let entries = || count(&server, "SELECT count(*) FROM audit");
    let before = entries();
    for (path, value) in
        [("role", ("role", "operator")), ("status", ("status", "active")), ("logout", ("x", ""))]
    {
        assert_eq!(send_own(&server, &format!("/accounts/2/{path}"), &ada, &[value]).status, 303, "{path}");
    }
    for words in [&["logout", "bob"][..], &["enable", "bob"], &["password", "pat", "--no-password"]] {
        printed(&run(&server.data_dir, words));
    }
    assert_eq!(entries(), before);
    printed(&run(&server.data_dir, &["logout", "--all"]));
    assert_eq!(entries(), before + 1);
    printed(&run(&server.data_dir, &["logout", "--all"]));
    assert_eq!(entries(), before + 1);
    server.stop();
    assert!(!server.log().contains("Changed account"), "{}", server.log());
}
