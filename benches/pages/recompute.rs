// SPDX-License-Identifier: Apache-2.0
//! Changing the blacklist as a browser does, while crashes are posted and the list of them is looked at.

use crate::client::{Client, Coding};
use crate::database::{self, CULPRIT};
use crate::posts::{Posted, Posting};
use crate::server::{Muster, Target};
use crate::table::{grouped, ms};
use muster::views::links::link;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is asked whether the crashes follow.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long is waited for that.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long is posted before each change, to compare with.
const BEFORE: Duration = Duration::from_secs(3);
/// So long may 100,000 crashes take.
const BUDGET: Duration = Duration::from_secs(10);

/// A change, and what it took.
struct Change {
    name: &'static str,
    submitted_at: Instant,
    took: Duration,
    moved: i64,
}

/// Measures it on a database of so many crashes in `dir`; false where it did not come to its end.
pub fn run(dir: &Path, crashes: u64) -> bool {
    let began = Instant::now();
    database::make_crashes(dir, crashes);
    println!(
        "{} crashes of programs with {} different backtraces at most, loaded in {:.1} s\n",
        grouped(crashes as i64),
        grouped(database::BACKTRACES as i64),
        began.elapsed().as_secs_f64()
    );
    let mut muster = Muster::start("muster, crashes", dir);
    let address = muster.process().address;
    let posting = Posting::start(address, database::new_crashes(), None);
    let looking = Looking::start(address);
    std::thread::sleep(BEFORE);
    let mut client = Client::new(address);
    let entry = CULPRIT.to_owned();
    let steps = [
        ("the top function added", vec![("add", entry.as_str())]),
        ("it removed again", vec![("remove", entry.as_str())]),
        ("the default list off", vec![("defaults", "off")]),
        ("both at once", vec![("add", entry.as_str()), ("defaults", "on")]),
    ];
    let mut changes = Vec::new();
    let mut failures = Vec::new();
    for (name, pairs) in steps {
        match change(&mut client, name, &pairs) {
            Ok(change) => changes.push(change),
            Err(why) => failures.push(format!("{name}: {why}")),
        }
        std::thread::sleep(BEFORE);
    }
    let pages = looking.stop();
    let posted = posting.stop();
    print_table(&changes, &posted, &pages);
    muster.add_stored(posted.posts.len() as u64);
    muster.stop_and_compare();
    for failure in &failures {
        println!("! {failure}\n");
    }
    failures.is_empty() && posted.n_errors == 0
}

fn print_table(changes: &[Change], posted: &Posted, pages: &[(Instant, Duration)]) {
    println!(
        "| change | followed after s | crashes moved | posts/s before | posts/s meanwhile | longest post ms \
         | longest `/crashes` ms | |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---|");
    for change in changes {
        let (from, to) = (change.submitted_at, change.submitted_at + change.took);
        let (rate_before, _) = posted.between(from - BEFORE, from);
        let (rate, longest_post) = posted.between(from, to.max(from + Duration::from_millis(1)));
        let meanwhile = pages.iter().filter(|(at, time)| *at + *time > from && *at < to);
        let longest_page = meanwhile.map(|(_, time)| *time).max().unwrap_or_default();
        let most = BUDGET.mul_f64((change.moved as f64 / 1e5).max(1.0));
        println!(
            "| {} | {:.2} | {} | {} | {} | {} | {} | {} |",
            change.name,
            change.took.as_secs_f64(),
            grouped(change.moved),
            grouped(rate_before as i64),
            grouped(rate as i64),
            ms(longest_post),
            ms(longest_page),
            if change.took > most { format!("! over {} s", most.as_secs()) } else { String::new() }
        );
    }
    println!();
}

/// One browser that looks at the crashes again and again.
struct Looking {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(Instant, Duration)>>,
}

impl Looking {
    fn start(address: SocketAddr) -> Looking {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_for_thread = is_over.clone();
        let thread = std::thread::spawn(move || {
            let (mut client, mut times) = (Client::new(address), Vec::new());
            while !is_over_for_thread.load(Ordering::Relaxed) {
                let began = Instant::now();
                match client.get("/crashes", Coding::Gzip) {
                    Ok(answer) if answer.status == 200 => times.push((began, answer.time)),
                    Ok(answer) => eprintln!("/crashes: status {}", answer.status),
                    Err(error) => eprintln!("/crashes: {error}"),
                }
                std::thread::sleep(LOOK_EVERY);
            }
            times
        });
        Looking { is_over, thread }
    }

    fn stop(self) -> Vec<(Instant, Duration)> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Goes through preview and form, and waits until all crashes follow.
fn change(client: &mut Client, name: &'static str, pairs: &[(&str, &str)]) -> Result<Change, String> {
    let target = link("/crashes/blacklist/preview", pairs.iter().copied());
    let preview = client.get(&target, Coding::Plain).map_err(|error| error.to_string())?;
    if preview.status != 200 {
        return Err(format!("the preview answers {}", preview.status));
    }
    let fields = form_fields(&preview.text(), "/crashes/blacklist").ok_or("the preview has no form")?;
    let before = guilties(client);
    let submitted_at = Instant::now();
    let answer = client.post_form("/crashes/blacklist", &fields).map_err(|error| error.to_string())?;
    if answer.status != 303 {
        return Err(format!("the form answers {}: {}", answer.status, answer.text()));
    }
    let done = |client: &mut Client| {
        let state = client.json("/api/crashes/blacklist");
        state.is_object() && state["recompute"].is_null()
    };
    while !done(client) {
        if submitted_at.elapsed() > PATIENCE {
            return Err(format!("not done after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let took = submitted_at.elapsed();
    Ok(Change { name, submitted_at, took, moved: moved(&before, &guilties(client)) })
}

/// The numbers and crashes of all guilties.
fn guilties(client: &mut Client) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut skip = Some(0);
    while let Some(from) = skip {
        let page = client.json(&format!("/api/crashes/overall?skip={from}"));
        let rows = page["guilties"].as_array().cloned().unwrap_or_default();
        found.extend(rows.iter().filter_map(|row| Some((row["id"].as_i64()?, row["crashes"].as_i64()?))));
        skip = page["next_skip"].as_i64();
    }
    found
}

/// What the guilties lost between two moments: crashes that have another guilty now. Posts that came meanwhile
/// are no loss.
fn moved(before: &[(i64, i64)], after: &[(i64, i64)]) -> i64 {
    let now = |id: i64| after.iter().find(|(other, _)| *other == id).map_or(0, |(_, crashes)| *crashes);
    before.iter().map(|(id, crashes)| (crashes - now(*id)).max(0)).sum()
}

/// The names and values that a form of a page sends.
fn form_fields(page: &str, action: &str) -> Option<Vec<(String, String)>> {
    let start = page.find(&format!("action=\"{action}\""))?;
    let form = page[start..].split("</form>").next()?;
    let fields = form.split("<input").skip(1).filter_map(|input| {
        let tag = input.split('>').next()?;
        Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
    });
    Some(fields.collect())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (coded, sign)| text.replace(coded, sign)))
}
